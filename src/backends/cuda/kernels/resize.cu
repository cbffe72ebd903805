// SPDX-License-Identifier: Apache-2.0
// Interpolation and position embeddings: coordinates in float64, as the reference has them.
#include "../general_kernels.h"
#include "device.cuh"

namespace vitrum::cuda {
namespace {

/// The two source indices behind an output index, and the second one's share.
struct TwoTaps {
    std::int64_t first, second;
    float share;

    __device__ TwoTaps(std::int64_t index, std::int64_t from, std::int64_t to) {
        double const scale = static_cast<double>(from) / static_cast<double>(to);
        double const at = fmax(0.0, (static_cast<double>(index) + 0.5) * scale - 0.5);
        first = min(static_cast<std::int64_t>(at), from - 1);
        second = min(first + 1, from - 1);
        share = static_cast<float>(at - static_cast<double>(first));
    }
};

[[nodiscard]] __device__ inline float4 between(float4 a, float4 b, float share) {
    return make_float4(fmaf(share, b.x - a.x, a.x), fmaf(share, b.y - a.y, a.y), fmaf(share, b.z - a.z, a.z),
                       fmaf(share, b.w - a.w, a.w));
}

struct ResizeQuad {
    Pixels x, y;
    Matrix add;

    __device__ void operator()(std::int64_t i) const {
        Quotient const at = divide(i, y.quads());
        int const c = static_cast<int>(at.rest) * 4, left = y.c - c;
        Place const to(at.whole, y.h, y.w);
        TwoTaps const rows(to.row, x.h, y.h), columns(to.column, x.w, y.w);
        auto const across = [&](std::int64_t row) {
            std::int64_t const line = (to.n * x.h + row) * x.w;
            return between(load4(x.at(line + columns.first) + c, left, x.vector),
                           load4(x.at(line + columns.second) + c, left, x.vector), columns.share);
        };
        float4 v = between(across(rows.first), across(rows.second), rows.share);
        if (add.data != nullptr) v = v + load4(add.at(at.whole) + c, left, add.vector);
        store4(y.at(at.whole) + c, v, left, y.vector);
    }
};

/// See SinePosition: channel c of a half tells index i of `size` apart.
[[nodiscard]] __device__ inline double sine_position(std::int64_t i, std::int64_t size, int c, int channels) {
    constexpr double kTwoPi = 6.283185307179586476925;
    double const angle = kTwoPi * static_cast<double>(i + 1) / (static_cast<double>(size) + 1e-6);
    double const scaled = angle / pow(10000.0, static_cast<double>(c / 2 * 2) / static_cast<double>(channels));
    return c % 2 == 0 ? sin(scaled) : cos(scaled);
}

struct SineNumber {
    Pixels y;
    float const* level;

    __device__ void operator()(std::int64_t i) const {
        Quotient const at = divide(i, y.c);
        int const c = static_cast<int>(at.rest), half = y.c / 2;
        Place const to(at.whole, y.h, y.w);
        double const value =
            c < half ? sine_position(to.row, y.h, c, half) : sine_position(to.column, y.w, c - half, half);
        y.at(at.whole)[c] = static_cast<float>(value + static_cast<double>(level[c]));
    }
};

}  // namespace

template <>
void ResizeKernel::launch(Resize const&, Launch const& launch) {
    Pixels const y(launch.outputs[0]);
    ResizeQuad const quad{Pixels(launch.inputs[Resize::kX]), y, Pixels(launch.inputs[Resize::kAdd])};
    for_each(launch.stream, y.count() * y.quads(), quad);
}

template <>
void SinePositionKernel::launch(SinePosition const&, Launch const& launch) {
    Pixels const y(launch.outputs[0]);
    for_each(launch.stream, y.count() * y.c, SineNumber{y, floats(launch.inputs[SinePosition::kLevel])});
}

}  // namespace vitrum::cuda
