// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <unordered_map>

#include "call.h"
#include "importers/onnx.h"

namespace vitrum::onnx {

/// Walks a model's nodes and asks each operator's rule. Branches are taken, loops unrolled and functions entered on the
/// way, for which their conditions and counts must be known.
class Converter {
public:
    Converter(Builder& builder, OnnxModel const& model, std::map<OnnxTensor const*, Constant> const& constants)
        : b_(builder), model_(model), constants_(constants), opset_(model.opsets.at("")) {}

    [[nodiscard]] Graph convert(std::vector<DenseType> const& inputs, OnnxSource::Edges edges,
                                OnnxSource::Known const& known);
    /// The constants that nodes read, in the order of convert().
    [[nodiscard]] std::vector<ConstantRead> const& reads() const { return reads_; }

private:
    /// Names of one graph, then those of the graphs around it.
    struct Scope {
        std::unordered_map<std::string_view, ValueId> values;
        Scope const* outer = nullptr;
    };
    using Attributes = std::vector<OnnxAttribute>;

    [[nodiscard]] ValueId add_input(std::string name, DenseType const& type, OnnxSource::Edges edges);
    [[nodiscard]] ValueId add_list(OnnxPort const& port, std::span<DenseType const> types, OnnxSource::Edges edges);
    void add_output(ValueId made, std::string_view name, OnnxSource::Edges edges);
    [[nodiscard]] ValueId find(Scope const& scope, std::string_view name) const;
    void run(std::vector<OnnxNode> const& nodes, Scope& scope, Attributes const* arguments);
    void run(OnnxNode const& node, Scope& scope);
    void note_reads(OnnxNode const& node, std::vector<ValueId> const& inputs);
    [[nodiscard]] std::vector<ValueId> run_graph(OnnxGraph const& graph, Scope& scope);
    [[nodiscard]] std::vector<ValueId> results_of(OnnxNode const& node, std::vector<ValueId> inputs, Scope& scope);
    [[noreturn]] void refuse_operators(OnnxNode const& node) const;
    [[nodiscard]] std::vector<ValueId> branch(Call const& call, Scope& scope);
    [[nodiscard]] std::vector<ValueId> loop(Call const& call, Scope& scope);
    [[nodiscard]] std::vector<ValueId> call_function(OnnxFunction const& function, Call const& call);
    [[nodiscard]] OnnxGraph const& graph_attribute(Call const& call, std::string_view name) const;

    Builder& b_;
    OnnxModel const& model_;
    std::map<OnnxTensor const*, Constant> const& constants_;
    std::int64_t opset_;
    std::vector<ConstantRead> reads_;
    int depth_ = 0;
    std::int64_t steps_ = 0;
};

}  // namespace vitrum::onnx
