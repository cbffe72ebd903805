// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "backends/backend.h"
#include "formats/onnx.h"
#include "ir/graph.h"
#include "vitrum/sizes.h"

namespace vitrum {

/// A float32 constant that one of the file's nodes reads: a tensor of the file, or computed from such.
struct ConstantRead {
    enum class Role : std::uint8_t {
        other,
        matrix,             ///< the right side of a product, [in, out]
        transposed_matrix,  ///< the same as [out, in]
        filter,
        filter_bias  ///< of the filter in front of it
    };
    std::string name;  ///< of the file's tensor; empty where it was computed
    std::string node;  ///< the node's, which is "/body/conv1/Conv" where an exporter tells its module
    Constant constant;
    Role role = Role::other;
};

/// An ONNX graph and its weights, from which a graph of ours is made for each set of input types: shape arithmetic is
/// computed away, branches and loops are resolved, and what is left are operators on values of known extents.
/// Immutable; may be used from several threads.
class OnnxSource {
public:
    /// `settings`: extents that the file leaves open, by the names that it gives them.
    OnnxSource(OnnxModel model, std::map<std::string, std::int64_t> settings);

    [[nodiscard]] OnnxModel const& model() const { return model_; }
    /// The inputs for N pictures of H × W: the first input's open extents are N, H and W by their places in
    /// [N, C, H, W], [C, H, W] or [H, W]; those of other inputs follow by name. Throws Error where one stays open, or
    /// where the file states another.
    [[nodiscard]] std::vector<DenseType> inputs(Sizes const& sizes) const;
    /// The inputs of these shapes. Throws Error (usage) where they contradict the file or the settings.
    [[nodiscard]] std::vector<DenseType> inputs(std::vector<std::vector<std::int64_t>> const& shapes) const;
    /// Whether N, H and W and the settings leave no extent open.
    [[nodiscard]] bool follows_sizes() const;
    /// Sizes that the file allows, near to these.
    [[nodiscard]] Sizes allowed(Sizes const& wanted) const;
    /// Sizes of pictures whose maps of the strides 8, 16 and 32 all have their height and width among the file's
    /// constants: exporters leave them there where a network's code computes with them, whatever extents they call
    /// open.
    [[nodiscard]] std::vector<Sizes> traced_sizes() const;
    [[nodiscard]] std::int64_t parameters() const;
    /// The file's tensors by name. One that an Identity gives another name, as exporters do with equal tensors that
    /// they store once, has both.
    [[nodiscard]] std::map<std::string, Constant> named_tensors() const;

    /// How the graph's inputs and outputs lie.
    enum class Edges : std::uint8_t {
        pixels,    ///< float32 [N, C, H, W] as [N, H, W, C], as other networks' are; others as stated
        as_stated  ///< all as the file says
    };
    /// Whether an input or output of that type enters or leaves as an activation [N, H, W, C].
    [[nodiscard]] static bool is_picture(DenseType const& type, Edges edges);
    /// How many of so many arrays an input takes: one, but a list or a value that may be absent what the others leave.
    [[nodiscard]] static std::size_t share(OnnxModel const& model, OnnxPort const& port, std::size_t arrays);
    /// Numbers of inputs that are known beforehand, by name.
    using Known = std::map<std::string, Constant, std::less<>>;
    /// The graph for inputs of these types. `evaluator` computes what depends on nothing else. Throws Error: operators
    /// that are not known, values needed early that are not, shapes that contradict.
    [[nodiscard]] Graph graph(std::vector<DenseType> const& inputs, Backend const& evaluator, Edges edges,
                              Known const& known = {}) const;
    /// A graph, and the constants that the file's nodes read in the order in which they run, also of those nodes that
    /// were computed away.
    struct Traced {
        Graph graph;
        std::vector<ConstantRead> reads;
    };
    [[nodiscard]] Traced trace(std::vector<DenseType> const& inputs, Backend const& evaluator) const;

private:
    using Named = std::map<std::string, std::int64_t, std::less<>>;
    [[nodiscard]] DenseType input(OnnxPort const& port, std::vector<std::int64_t> const& shape, Named& named) const;

    OnnxModel model_;
    std::map<std::string, std::int64_t> settings_;
    std::map<OnnxTensor const*, Constant> constants_;  ///< of all graphs, aligned
};

}  // namespace vitrum
