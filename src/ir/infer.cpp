// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"
#include "ir/graph.h"

namespace vitrum {
namespace {

using Dims = std::vector<Dim>;
using Inputs = std::span<Dims const>;

/// Most rules give the one output's extents, those of operators with several outputs a list.
std::vector<Dims> all_of(Dims output) {
    return {std::move(output)};
}

Dims shuffled(Dims dims, int factor) {
    std::int64_t const channels = dims[3].at({});
    return {dims[0], dims[1].times(factor), dims[2].times(factor), channels / (factor * factor)};
}

Dims rule(Conv2d const& op, Inputs in) {
    Dims const& x = in[Conv2d::kX];
    return shuffled({x[0], x[1].ceil_div(op.stride), x[2].ceil_div(op.stride), in[Conv2d::kWeight][0]},
                    op.pixel_shuffle);
}
Dims rule(LayerNorm const&, Inputs in) {
    return in[LayerNorm::kX];
}
Dims rule(WindowAttention const&, Inputs in) {
    return in[WindowAttention::kX];
}
Dims rule(Mlp const&, Inputs in) {
    return in[Mlp::kX];
}
Dims rule(ShiftMlp const&, Inputs in) {
    return in[ShiftMlp::kX];
}
Dims rule(GroupWindowAttention const&, Inputs in) {
    return in[GroupWindowAttention::kX];
}
Dims rule(Add const&, Inputs in) {
    return in[Add::kA];
}
Dims rule(Activate const&, Inputs in) {
    return in[Activate::kX];
}
Dims rule(PixelShuffle const& op, Inputs in) {
    return shuffled(in[PixelShuffle::kX], op.factor);
}
Dims rule(ResizeNearest const& op, Inputs in) {
    Dims const& x = in[ResizeNearest::kX];
    return {x[0], x[1].times(op.factor), x[2].times(op.factor), x[3]};
}
Dims rule(ReflectPad const& op, Inputs in) {
    Dims const& x = in[ReflectPad::kX];
    return {x[0], x[1].round_up(op.multiple), x[2].round_up(op.multiple), x[3]};
}
Dims rule(Crop const& op, Inputs in) {
    Dims const& x = in[Crop::kX];
    return {x[0], op.height, op.width, x[3]};
}
Dims rule(Resize const& op, Inputs in) {
    Dims const& x = in[Resize::kX];
    return {x[0], op.height, op.width, x[3]};
}
Dims rule(SinePosition const& op, Inputs in) {
    return {1, op.height, op.width, in[SinePosition::kLevel][0]};
}
Dims rule(AddPosition const&, Inputs in) {
    return in[AddPosition::kX];
}
Dims rule(Tokens const& op, Inputs in) {
    return {op.batch, 1, in[Tokens::kTable][0], in[Tokens::kTable][1]};
}
Dims rule(DeformableAttention const&, Inputs in) {
    return in[DeformableAttention::kX];
}
Dims rule(QueryAttention const&, Inputs in) {
    return in[QueryAttention::kQueries];
}
Dims rule(QueryMasks const&, Inputs in) {
    Dims const& features = in[QueryMasks::kFeatures];
    return {features[0], features[1], features[2], in[QueryMasks::kQueries][2]};
}

Dims rule(PatchMerging const&, Inputs in) {
    Dims const& x = in[PatchMerging::kX];
    return {x[0], x[1].ceil_div(2), x[2].ceil_div(2), in[PatchMerging::kWeight][0]};
}
Dims rule(GroupNorm const&, Inputs in) {
    return in[GroupNorm::kX];
}
Dims rule(MaxPool2d const& op, Inputs in) {
    Dims const& x = in[MaxPool2d::kX];
    return {x[0], x[1].ceil_div(op.stride), x[2].ceil_div(op.stride), x[3]};
}
Dims rule(SpectralAttention const&, Inputs in) {
    return in[SpectralAttention::kX];
}
Dims rule(ConvMlp const&, Inputs in) {
    return in[ConvMlp::kX];
}
Dims rule(DepthwiseConv const&, Inputs in) {
    return in[DepthwiseConv::kX];
}
Dims rule(ShiftBack const& op, Inputs in) {
    Dims const& x = in[ShiftBack::kX];
    return {x[0], op.height, op.width, x[3]};
}

Dims rule(ToPixels const&, Inputs in) {
    Dims const& x = in[ToPixels::kX];
    return {x[0], x[2], x[3], x[1]};
}
Dims rule(ToDense const&, Inputs in) {
    Dims const& x = in[ToDense::kX];
    return {x[0], x[3], x[1], x[2]};
}
/// Their rule also knows types: dense_outcome().
Dims rule(Dense const&, Inputs) {
    VITRUM_ASSERT(false);
}

}  // namespace

std::vector<std::vector<Dim>> infer_outputs(Op const& op, std::span<std::vector<Dim> const> inputs) {
    VITRUM_ASSERT(op_violation(op, inputs).empty());
    return std::visit([&](auto const& o) { return all_of(rule(o, inputs)); }, op);
}

}  // namespace vitrum
