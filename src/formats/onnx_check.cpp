// SPDX-License-Identifier: Apache-2.0
#include "onnx_check.h"

#include <algorithm>
#include <unordered_set>

#include "base/check.h"
#include "formats/text.h"

namespace vitrum {
namespace {

// The opsets of ONNX's own domain whose rules vitrum knows: 28 is that of onnx 1.23. Of those before 7 it knows the
// operators that have not changed since, which the importer decides.
constexpr std::int64_t kOldestOpset = 1, kNewestOpset = 28;

using Names = std::unordered_set<std::string_view>;

/// The names that one graph can see: its own, then those of the graphs around it.
struct Scope {
    Names made;
    Scope const* outer = nullptr;

    [[nodiscard]] bool sees(std::string_view name) const {
        return made.contains(name) || (outer != nullptr && outer->sees(name));
    }
};

class Checker {
public:
    explicit Checker(OnnxModel const& model) : file_(model.path.string()) {}

    void graph(OnnxGraph const& graph, Scope const* outer) {
        Scope scope{{}, outer};
        for (OnnxTensor const& tensor : graph.tensors) make(scope, tensor.name, "a tensor");
        for (OnnxPort const& input : graph.inputs) make(scope, input.name, "an input");
        nodes(graph.nodes, scope);
        if (graph.outputs.empty()) fail("{}: the graph \"{}\" has no output", file_, excerpt(graph.name));
        for (OnnxPort const& output : graph.outputs) {
            if (!scope.sees(output.name)) fail("{}: nothing makes the output \"{}\"", file_, excerpt(output.name));
        }
    }

    void function(OnnxFunction const& function) {
        Scope scope;
        for (auto const input : function.inputs) make(scope, input, "an input");
        nodes(function.nodes, scope);
    }

private:
    void make(Scope& scope, std::string_view name, std::string_view what) const {
        if (!scope.made.insert(name).second) {
            fail("{}: {} has the name \"{}\" of another one; export the model again", file_, what, excerpt(name));
        }
    }

    void nodes(std::vector<OnnxNode> const& nodes, Scope& scope) {
        for (OnnxNode const& node : nodes) {
            for (auto const input : node.inputs) {
                if (!input.empty() && !scope.sees(input)) refuse_input(nodes, node, input);
            }
            for (OnnxAttribute const& attribute : node.attributes) {
                if (attribute.graph) graph(*attribute.graph, &scope);
            }
            for (auto const output : node.outputs) {
                if (output.empty() || scope.made.insert(output).second) continue;
                fail("{}: byte {}: {} makes \"{}\", which is there already", file_, node.offset, node.label(),
                     excerpt(output));
            }
        }
    }

    [[noreturn]] void refuse_input(std::vector<OnnxNode> const& nodes, OnnxNode const& node,
                                   std::string_view input) const {
        bool const later = std::ranges::any_of(
            nodes, [&](OnnxNode const& other) { return std::ranges::count(other.outputs, input) != 0; });
        fail("{}: byte {}: {} reads \"{}\", which {}", file_, node.offset, node.label(), excerpt(input),
             later ? "a later node makes: the graph is cyclic or not sorted" : "nothing makes");
    }

    std::string file_;
};

void check_opsets(OnnxModel const& model) {
    auto const own = model.opsets.find("");
    auto const file = model.path.string();
    if (own == model.opsets.end()) fail("{}: names no version of ONNX's operators; export the model again", file);
    if (own->second >= kOldestOpset && own->second <= kNewestOpset) return;
    fail(
        "{}: made for version {} of ONNX's operators (opset); versions {} to {} are known: export the model again with "
        "opset_version=17",
        file, own->second, kOldestOpset, kNewestOpset);
}

}  // namespace

void check_onnx(OnnxModel const& model) {
    check_opsets(model);
    Checker checker(model);
    checker.graph(model.graph, nullptr);
    for (OnnxFunction const& function : model.functions) checker.function(function);
}

}  // namespace vitrum
