// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/backend.h"
#include "base/check.h"
#include "base/threads.h"

namespace vitrum::cpu {

[[nodiscard]] constexpr std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

/// Hands out 64-byte aligned pieces of a workspace. From null it only adds up, which gives the bytes to ask for:
/// a kernel describes its scratch once, for both.
class ScratchCarver {
public:
    explicit ScratchCarver(std::byte* start) : start_(start) {}

    template <class T>
    void take(T*& piece, std::int64_t count) {
        piece = start_ == nullptr ? nullptr : reinterpret_cast<T*>(start_ + used_);
        used_ += static_cast<std::size_t>(round_up(count * static_cast<std::int64_t>(sizeof(T)), 64));
    }
    [[nodiscard]] std::size_t used() const { return used_; }

private:
    std::byte* start_;
    std::size_t used_ = 0;
};

/// Bytes of one worker's scratch. An odd number of cache lines, so that workers' buffers do not share cache sets.
template <class Scratch, class Shape>
[[nodiscard]] std::size_t scratch_bytes(Shape const& shape) {
    ScratchCarver carver(nullptr);
    Scratch(carver, shape);
    return (carver.used() / 64 | 1) * 64;
}

template <class Scratch, class Shape>
[[nodiscard]] Scratch scratch_of(Launch const& launch, int worker, Shape const& shape) {
    VITRUM_ASSERT(launch.workspace != nullptr);
    ScratchCarver carver(launch.workspace + static_cast<std::size_t>(worker) * scratch_bytes<Scratch>(shape));
    return Scratch(carver, shape);
}

[[nodiscard]] inline float const* floats(std::byte const* data) {
    return reinterpret_cast<float const*>(data);
}
[[nodiscard]] inline float const* floats(TensorView const& view) {
    return floats(view.data);
}

}  // namespace vitrum::cpu
