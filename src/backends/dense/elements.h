// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "backends/backend.h"
#include "base/threads.h"

namespace vitrum::dense {

// Numbers of any element type are brought into one of three types to compute in (float, double, int64) a run at a time,
// so that an operator's loop is compiled three times instead of once per element type.

constexpr std::int64_t kRun = 1024;  ///< numbers at once: a few kilobytes of stack per operand

template <class C>
[[nodiscard]] bool is_nan(C value) {
    if constexpr (std::is_floating_point_v<C>) return std::isnan(value);
    return false;
}

/// count numbers, `stride` elements apart, from an address of that type into C = float, double or int64.
template <class C>
void load(std::byte const* from, DType type, std::int64_t stride, std::int64_t count, C* to);

/// The way back: count numbers one after the other. Floats are cut off where integers are stored, and held inside
/// int64.
template <class C>
void store(C const* from, std::int64_t count, DType type, std::byte* to, Narrowing narrowing = {});

[[nodiscard]] inline std::byte* at(TensorView const& view, std::int64_t element) {
    return view.data + element * static_cast<std::int64_t>(size_of(view.dtype));
}

/// A tensor as lines along one axis: element (o, i, n) lies at (o · length + i) · inner + n.
struct Lines {
    std::int64_t outer = 1, length = 1, inner = 1;

    Lines(Shape const& shape, int axis) : length(shape[axis]) {
        for (int i = 0; i < axis; ++i) outer *= shape[i];
        for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
    }
    [[nodiscard]] std::int64_t count() const { return outer * inner; }
    /// The first element of a line; the next lies `inner` further.
    [[nodiscard]] std::int64_t begin(std::int64_t line) const { return line / inner * length * inner + line % inner; }
};

/// Nested loops over an output and operands whose extents of 1 repeat, as few as their strides allow: neighbouring
/// dimensions that all operands run through evenly are one.
template <int kOperands>
class Loop {
public:
    /// strides[o] are the operand's in the output's dimensions, 0 where it repeats.
    Loop(Shape const& shape, std::array<Shape, kOperands> const& strides) {
        for (int i = 0; i < shape.rank(); ++i) append(shape[i], strides, i);
        if (rank_ == 0) {
            extents_[0] = 1;
            for (auto& stride : strides_) stride[0] = 0;
            rank_ = 1;
        }
        inner_ = extents_[static_cast<std::size_t>(rank_ - 1)];
        runs_ = (inner_ + kRun - 1) / kRun;
        items_ = runs_;
        for (int i = 0; i + 1 < rank_; ++i) items_ *= extents_[static_cast<std::size_t>(i)];
    }

    /// Calls body(first, count, offsets) for runs of the innermost dimension: the output's first element and the
    /// operands' first elements.
    template <class Body>
    void run(ThreadPool& threads, Body const& body) const {
        threads.parallel_for(items_, [&](std::int64_t item, int) {
            std::int64_t const start = item % runs_ * kRun;
            std::int64_t const row = item / runs_;
            std::array<std::int64_t, kOperands> offsets{};
            for (int o = 0; o < kOperands; ++o) offsets[at(o)] = start * inner_stride(o);
            std::int64_t rest = row;
            for (int i = rank_ - 2; i >= 0; --i) {
                std::int64_t const index = rest % extents_[at(i)];
                rest /= extents_[at(i)];
                for (int o = 0; o < kOperands; ++o) offsets[at(o)] += index * strides_[at(o)][at(i)];
            }
            body(row * inner_ + start, std::min(kRun, inner_ - start), offsets);
        });
    }
    [[nodiscard]] std::int64_t inner_stride(int operand) const { return strides_[at(operand)][at(rank_ - 1)]; }

private:
    static constexpr std::size_t at(int i) { return static_cast<std::size_t>(i); }

    void append(std::int64_t extent, std::array<Shape, kOperands> const& strides, int dimension) {
        if (extent == 1) return;
        bool merges = rank_ > 0;
        for (int o = 0; o < kOperands && merges; ++o) {
            merges = strides_[at(o)][at(rank_ - 1)] == strides[at(o)][dimension] * extent;
        }
        if (!merges) extents_[at(rank_++)] = 1;
        extents_[at(rank_ - 1)] *= extent;
        for (int o = 0; o < kOperands; ++o) strides_[at(o)][at(rank_ - 1)] = strides[at(o)][dimension];
    }

    int rank_ = 0;
    std::array<std::int64_t, Shape::kMaxRank> extents_{};
    std::array<std::array<std::int64_t, Shape::kMaxRank>, kOperands> strides_{};
    std::int64_t inner_ = 1, runs_ = 1, items_ = 1;
};

/// The strides with which a packed tensor is read in the dimensions of a larger one.
[[nodiscard]] inline Shape repeating_strides(Shape const& shape, Shape const& output) {
    Shape const own = shape.contiguous_strides();
    Shape strides = output;
    int const added = output.rank() - shape.rank();
    for (int i = 0; i < output.rank(); ++i) strides[i] = i < added || shape[i - added] == 1 ? 0 : own[i - added];
    return strides;
}

}  // namespace vitrum::dense
