// SPDX-License-Identifier: Apache-2.0
// Which inputs of an operator are activations.
#include "ir/graph.h"

namespace vitrum {
namespace {

/// The inputs that flow; the others are weights.
bool flows(Conv2d const&, int input) {
    return input == Conv2d::kX || input == Conv2d::kResidual;
}
bool flows(WindowAttention const&, int input) {
    return input == WindowAttention::kX || input == WindowAttention::kResidual;
}
bool flows(Mlp const&, int input) {
    return input == Mlp::kX || input == Mlp::kResidual;
}
bool flows(ShiftMlp const&, int input) {
    return input == ShiftMlp::kX || input == ShiftMlp::kResidual;
}
bool flows(GroupWindowAttention const&, int input) {
    return input == GroupWindowAttention::kX || input >= GroupWindowAttention::kQuery;
}
bool flows(DeformableAttention const&, int input) {
    return input < DeformableAttention::kOffsetWeight;
}
template <class O>
requires std::is_same_v<O, Add> || std::is_same_v<O, Resize> || std::is_same_v<O, AddPosition> ||
    std::is_same_v<O, QueryAttention> || std::is_same_v<O, QueryMasks>
bool flows(O const&, int) {
    return true;
}
bool flows(SpectralAttention const&, int input) {
    using S = SpectralAttention;
    return input == S::kX || input == S::kGuide || input == S::kResidual;
}
bool flows(ConvMlp const&, int input) {
    return input == ConvMlp::kX || input == ConvMlp::kResidual;
}
bool flows(DepthwiseConv const&, int input) {
    return input == DepthwiseConv::kX || input == DepthwiseConv::kGated;
}
template <class O>
requires std::is_same_v<O, SinePosition> || std::is_same_v<O, Tokens>
bool flows(O const&, int) {
    return false;
}
bool flows(Dense const&, int) {
    return true;  // constants flow as well
}
template <class O>
bool flows(O const&, int input) {
    return input == O::kX;
}

}  // namespace

bool is_activation_input(Op const& op, int input) {
    return std::visit([&](auto const& o) { return flows(o, input); }, op);
}

}  // namespace vitrum
