// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../device.cuh"

// The regions of 16 × 16 pixels in which blocks do ELAN's attention: each is one window of 16, four of 8 or sixteen
// of 4.

namespace vitrum::cuda {

constexpr int kRegion = 16;  ///< its side
constexpr int kRegionTokens = kRegion * kRegion;

struct RegionData {
    Pixels x;
    Matrix attended, query;   ///< no query: it is projected from x
    uint4 const* weights;     ///< see GroupWeights
    float const* bias;        ///< of queries and values, as the operator has it
    std::int64_t scale_word;  ///< where the weights' inverse scale lies
    int dim, steps;           ///< channels of a group; steps of 16 channels of x
    int window_bits[3];       ///< log2 of the windows
    int order[3];             ///< groups, those of the largest windows first
    bool is_shifted;
    std::int64_t regions, down, across;  ///< of all pictures; of one
};

/// Which region a block has and which of its groups, 0 being that of the largest windows.
struct RegionTurn {
    std::uint32_t rank, region;
};

/// The largest windows of all regions first.
[[nodiscard]] __device__ inline RegionTurn largest_first(RegionData const& d) {
    auto const regions = static_cast<std::uint32_t>(d.regions);
    std::uint32_t const rank = blockIdx.x < regions ? 0 : blockIdx.x < 2 * regions ? 1 : 2;
    return {rank, blockIdx.x - rank * regions};
}

/// Which region and group a block has, and where its tokens lie.
struct RegionPlace {
    int group, bits, lane, g, t;
    std::int64_t first_pixel;  ///< of the picture
    int row, column, h, w;

    explicit __device__ RegionPlace(RegionData const& d) : RegionPlace(d, largest_first(d)) {}
    __device__ RegionPlace(RegionData const& d, RegionTurn const& turn)
        : lane(static_cast<int>(threadIdx.x) % 32),
          g(lane / 4),
          t(lane % 4),
          h(static_cast<int>(d.x.h)),
          w(static_cast<int>(d.x.w)) {
        group = one_of(d.order, static_cast<int>(turn.rank));
        bits = one_of(d.window_bits, group);
        // A launch has fewer than 2^31 blocks.
        auto const across = static_cast<std::uint32_t>(d.across), down = static_cast<std::uint32_t>(d.down);
        std::uint32_t const line = turn.region / across, picture = line / down;
        int const shift = d.is_shifted ? 1 << bits >> 1 : 0;
        first_pixel = picture * d.x.h * d.x.w;
        row = static_cast<int>(line - picture * down) * kRegion + shift;
        column = static_cast<int>(turn.region - line * across) * kRegion + shift;
    }
    /// Parameters that an index were looked up with would be copied to the stack.
    [[nodiscard]] static __device__ int one_of(int const (&values)[3], int i) {
        return i == 0 ? values[0] : i == 1 ? values[1] : values[2];
    }
    [[nodiscard]] __device__ std::int64_t pixel(int token) const {
        int const window = token >> 2 * bits, side = (1 << bits) - 1, across_bits = 4 - bits;
        int r = row + ((window >> across_bits << bits) + (token >> bits & side));
        int c = column + (((window & ((1 << across_bits) - 1)) << bits) + (token & side));
        if (r >= h) r -= h;
        if (c >= w) c -= w;
        return first_pixel + static_cast<std::int64_t>(r) * w + c;
    }
};

/// Without what the layout of the weights decides.
[[nodiscard]] inline RegionData regions_of(GroupWindowAttention const& op, Launch const& launch) {
    using Op = GroupWindowAttention;
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]);
    RegionData data{.x = x,
                    .attended = Pixels(launch.outputs[0]),  // until the projection takes it
                    .query = Pixels(in[Op::kQuery]),
                    .weights = reinterpret_cast<uint4 const*>(launch.packed[0]),
                    .bias = floats(in[Op::kInBias]),
                    .scale_word = 0,
                    .dim = x.c / Op::kGroups,
                    .steps = 0,
                    .window_bits = {},
                    .order = {0, 1, 2},
                    .is_shifted = op.shifted,
                    .regions = x.count() / (kRegion * kRegion),
                    .down = x.h / kRegion,
                    .across = x.w / kRegion};
    for (std::size_t i = 0; i < op.windows.size(); ++i) data.window_bits[i] = op.windows[i] / 8 + 2;  // of 4, 8, 16
    std::ranges::sort(data.order, [&](int a, int b) { return data.window_bits[a] > data.window_bits[b]; });
    return data;
}

}  // namespace vitrum::cuda
