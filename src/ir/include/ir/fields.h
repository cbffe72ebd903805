// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "ir/op.h"

namespace vitrum {

// Every operator's fields by name, in one place: what prints a graph and what stores it read the same list.
// `f(name, field)` is called once per field, in order.

template <class O, class F>
requires std::is_same_v<std::remove_const_t<O>, Conv2d>
void for_each_field(O& op, F&& f) {
    f("kernel", op.kernel);
    f("stride", op.stride);
    f("activation", op.activation);
    f("negative_slope", op.negative_slope);
    f("residual_place", op.residual_place);
    f("pixel_shuffle", op.pixel_shuffle);
}

template <class O, class F>
requires std::is_same_v<std::remove_const_t<O>, LayerNorm>
void for_each_field(O& op, F&& f) {
    f("epsilon", op.epsilon);
}

template <class O, class F>
requires std::is_same_v<std::remove_const_t<O>, WindowAttention>
void for_each_field(O& op, F&& f) {
    f("heads", op.heads);
    f("window", op.window);
    f("shift", op.shift);
    f("scale", op.scale);
    f("norm_epsilon", op.norm_epsilon);
}

template <class O, class F>
requires std::is_same_v<std::remove_const_t<O>, Mlp>
void for_each_field(O& op, F&& f) {
    f("activation", op.activation);
    f("norm_epsilon", op.norm_epsilon);
}

template <class O, class F>
requires std::is_same_v<std::remove_const_t<O>, GroupWindowAttention>
void for_each_field(O& op, F&& f) {
    f("windows", op.windows);
    f("shifted", op.shifted);
}

// Dense operators are printed by fields_text() and made anew for each size, never stored.
template <class O, class F>
requires std::is_same_v<std::remove_const_t<O>, Add> || std::is_same_v<std::remove_const_t<O>, ShiftMlp> ||
    std::is_same_v<std::remove_const_t<O>, ToPixels> || std::is_same_v<std::remove_const_t<O>, ToDense> ||
    std::is_same_v<std::remove_const_t<O>, Dense>
void for_each_field(O&, F&&) {}

template <class O, class F>
requires std::is_same_v<std::remove_const_t<O>, Activate>
void for_each_field(O& op, F&& f) {
    f("activation", op.activation);
    f("negative_slope", op.negative_slope);
}

template <class O, class F>
requires std::is_same_v<std::remove_const_t<O>, PixelShuffle> || std::is_same_v<std::remove_const_t<O>, ResizeNearest>
void for_each_field(O& op, F&& f) {
    f("factor", op.factor);
}

template <class O, class F>
requires std::is_same_v<std::remove_const_t<O>, ReflectPad>
void for_each_field(O& op, F&& f) {
    f("multiple", op.multiple);
}

template <class O, class F>
requires std::is_same_v<std::remove_const_t<O>, Crop> || std::is_same_v<std::remove_const_t<O>, Resize> ||
    std::is_same_v<std::remove_const_t<O>, SinePosition>
void for_each_field(O& op, F&& f) {
    f("height", op.height);
    f("width", op.width);
}

template <class O, class F>
requires std::is_same_v<std::remove_const_t<O>, AddPosition> || std::is_same_v<std::remove_const_t<O>, QueryMasks>
void for_each_field(O&, F&&) {}

template <class O, class F>
requires std::is_same_v<std::remove_const_t<O>, Tokens>
void for_each_field(O& op, F&& f) {
    f("batch", op.batch);
}

template <class O, class F>
requires std::is_same_v<std::remove_const_t<O>, DeformableAttention>
void for_each_field(O& op, F&& f) {
    f("heads", op.heads);
    f("points", op.points);
    f("norm_epsilon", op.norm_epsilon);
}

template <class O, class F>
requires std::is_same_v<std::remove_const_t<O>, PatchMerging>
void for_each_field(O& op, F&& f) {
    f("norm_epsilon", op.norm_epsilon);
}

template <class O, class F>
requires std::is_same_v<std::remove_const_t<O>, QueryAttention>
void for_each_field(O& op, F&& f) {
    f("heads", op.heads);
}

template <class O, class F>
requires std::is_same_v<std::remove_const_t<O>, GroupNorm>
void for_each_field(O& op, F&& f) {
    f("groups", op.groups);
    f("epsilon", op.epsilon);
}

template <class O, class F>
requires std::is_same_v<std::remove_const_t<O>, MaxPool2d>
void for_each_field(O& op, F&& f) {
    f("kernel", op.kernel);
    f("stride", op.stride);
}

template <class O, class F>
requires std::is_same_v<std::remove_const_t<O>, SpectralAttention>
void for_each_field(O& op, F&& f) {
    f("heads", op.heads);
}

template <class O, class F>
requires std::is_same_v<std::remove_const_t<O>, ConvMlp>
void for_each_field(O& op, F&& f) {
    f("norm_epsilon", op.norm_epsilon);
}

template <class O, class F>
requires std::is_same_v<std::remove_const_t<O>, DepthwiseConv>
void for_each_field(O& op, F&& f) {
    f("kernel", op.kernel);
}

template <class O, class F>
requires std::is_same_v<std::remove_const_t<O>, ShiftBack>
void for_each_field(O& op, F&& f) {
    f("step", op.step);
    f("full_rows", op.full_rows);
    f("height", op.height);
    f("width", op.width);
}

inline constexpr std::array<std::string_view, 3> kActivationNames = {"none", "leaky_relu", "gelu"};

[[nodiscard]] inline std::string_view name_of(Activation activation) {
    return kActivationNames[static_cast<std::size_t>(activation)];
}

inline constexpr std::array<std::string_view, 2> kResidualPlaceNames = {"after_activation", "before_activation"};

[[nodiscard]] inline std::string_view name_of(ResidualPlace place) {
    return kResidualPlaceNames[static_cast<std::size_t>(place)];
}

}  // namespace vitrum
