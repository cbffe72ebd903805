// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "ir/graph.h"

namespace vitrum {
namespace {

struct Context {
    Graph const& graph;
    Node const& node;
    Sizes sizes;

    [[nodiscard]] double extent(int input, int dimension) const {
        auto const id = node.inputs[static_cast<std::size_t>(input)];
        return static_cast<double>(graph.value(id).dims[static_cast<std::size_t>(dimension)].at(sizes));
    }
    [[nodiscard]] double pixels() const { return extent(0, 0) * extent(0, 1) * extent(0, 2); }
    /// Of the convolution itself, before any shuffle.
    [[nodiscard]] double strided_pixels(int stride) const {
        auto const side = [&](int dimension) { return std::ceil(extent(0, dimension) / stride); };
        return extent(0, 0) * side(1) * side(2);
    }
    [[nodiscard]] double weights(int input) const {
        auto const id = node.inputs[static_cast<std::size_t>(input)];
        return static_cast<double>(graph.value(id).constant->shape.count());
    }
};

template <class O>
double multiply_adds(O const&, Context const&) {
    return 0;  // bound by memory
}
template <>
double multiply_adds(Conv2d const& op, Context const& c) {
    return c.strided_pixels(op.stride) * c.weights(Conv2d::kWeight);
}
template <>
double multiply_adds(WindowAttention const& op, Context const& c) {
    double const tokens = op.window * op.window;  // each attends to that many
    return c.pixels() * (c.weights(WindowAttention::kQkvWeight) + c.weights(WindowAttention::kProjWeight) +
                         2 * tokens * c.extent(WindowAttention::kX, 3));
}
template <>
double multiply_adds(Mlp const&, Context const& c) {
    return c.pixels() * (c.weights(Mlp::kFc1Weight) + c.weights(Mlp::kFc2Weight));
}
template <>
double multiply_adds(ShiftMlp const&, Context const& c) {
    return c.pixels() * (c.weights(ShiftMlp::kFc1Weight) + c.weights(ShiftMlp::kFc2Weight));
}
template <>
double multiply_adds(GroupWindowAttention const& op, Context const& c) {
    using G = GroupWindowAttention;
    double keys = 0;  // over the groups, each of a third of the channels
    for (double const window : op.windows) keys += window * window;
    return c.pixels() *
           (c.weights(G::kInWeight) + c.weights(G::kOutWeight) + 2 * keys * c.extent(G::kX, 3) / G::kGroups);
}
template <>
double multiply_adds(DeformableAttention const& op, Context const& c) {
    using Op = DeformableAttention;
    double const corners = 4.0 * Op::kLevels * op.points;  // of the samples behind one channel
    return c.pixels() * (c.weights(Op::kOffsetWeight) + c.weights(Op::kScoreWeight) + c.weights(Op::kProjWeight) +
                         corners * c.extent(Op::kX, 3));
}
template <>
double multiply_adds(QueryAttention const&, Context const& c) {
    using Op = QueryAttention;
    return c.pixels() * 2 * c.extent(Op::kKeys, 1) * c.extent(Op::kKeys, 2) * c.extent(Op::kKeys, 3);
}
template <>
double multiply_adds(QueryMasks const&, Context const& c) {
    return c.pixels() * c.extent(QueryMasks::kFeatures, 3) * c.extent(QueryMasks::kQueries, 2);
}
template <>
double multiply_adds(PatchMerging const&, Context const& c) {
    return c.strided_pixels(2) * c.weights(PatchMerging::kWeight);
}

template <>
double multiply_adds(SpectralAttention const& op, Context const& c) {
    using S = SpectralAttention;
    double const channels = c.extent(S::kX, 3);
    double const mixing = 2 * channels * channels / op.heads;  // k·q and A·v
    return c.pixels() * (4 * c.weights(S::kQueryWeight) + mixing + 2 * c.weights(S::kPosition1));
}
template <>
double multiply_adds(ConvMlp const&, Context const& c) {
    return c.pixels() *
           (c.weights(ConvMlp::kFc1Weight) + c.weights(ConvMlp::kDepthWeight) + c.weights(ConvMlp::kFc2Weight));
}
template <>
double multiply_adds(DepthwiseConv const&, Context const& c) {
    return c.pixels() * c.weights(DepthwiseConv::kWeight);
}

template <>
double multiply_adds(Dense const& op, Context const& c) {
    auto const count = [&](ValueId id) { return static_cast<double>(c.graph.value(id).dense_type().shape.count()); };
    auto const& x = c.graph.value(c.node.inputs[0]).dense_type().shape;
    double const out = count(c.node.outputs[0]);
    if (std::holds_alternative<dense::MatMul>(op.op)) return out * static_cast<double>(x[x.rank() - 1]);
    if (std::holds_alternative<dense::Convolution>(op.op)) {
        return out * count(c.node.inputs[1]) / c.extent(1, 0);
    }
    if (std::holds_alternative<dense::TransposedConvolution>(op.op)) {
        return count(c.node.inputs[0]) * count(c.node.inputs[1]) / c.extent(1, 0);
    }
    return 0;
}

}  // namespace

double flops(Graph const& graph, Node const& node, Sizes const& sizes) {
    return 2 * std::visit([&](auto const& op) { return multiply_adds(op, Context{graph, node, sizes}); }, node.op);
}

double flops(Graph const& graph, Sizes const& sizes) {
    double total = 0;
    for (Node const& node : graph.nodes) total += flops(graph, node, sizes);
    return total;
}

}  // namespace vitrum
