// SPDX-License-Identifier: Apache-2.0
// Group norm in two passes over memory. The first takes the statistics of chunks of pixels that fit into the
// first-level cache, each around its own mean, and merges them in float64 (Chan et al. 1979), so that a far mean costs
// no digits.
#include <cmath>

#include "scratch.h"
#include "simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/group_norm.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {
namespace {

using Op = GroupNorm;

struct NormShape {
    std::int64_t n, pixels, channels, groups;
    std::int64_t chunk;   ///< pixels
    std::int64_t chunks;  ///< of a picture

    NormShape(Op const& op, Shape const& x) : n(x[0]), pixels(x[1] * x[2]), channels(x[3]), groups(op.groups) {
        constexpr std::int64_t kChunkFloats = 8192;  // 32 KiB
        chunk = std::max<std::int64_t>(1, kChunkFloats / channels);
        chunks = (pixels + chunk - 1) / chunk;
    }
    [[nodiscard]] std::int64_t group_size() const { return channels / groups; }
    [[nodiscard]] std::int64_t pixels_of(std::int64_t index) const { return std::min(chunk, pixels - index * chunk); }
};

struct Statistics {
    double mean, squares;  ///< squares: Σ (x − mean)²
};

/// Shared by all workers.
struct NormScratch {
    Statistics* parts;  ///< [N][chunks][groups]
    float* mean;        ///< [N][C]
    float* scale;       ///< [N][C]
    float* sums;        ///< [threads][2][C]

    NormScratch(ScratchCarver& carver, NormShape const& s, int threads) {
        carver.take(parts, s.n * s.chunks * s.groups);
        carver.take(mean, s.n * s.channels);
        carver.take(scale, s.n * s.channels);
        carver.take(sums, threads * worker_floats(s));
    }
    /// Whole cache lines, so that workers share none.
    static std::int64_t worker_floats(NormShape const& s) { return 2 * round_up(s.channels, 16); }
};

/// body(c, lanes tag) over all channels: whole vectors, then one by one.
template <class Body>
HWY_INLINE void for_each_channel(std::int64_t channels, Body const& body) {
    std::int64_t c = 0;
    for (; c + kLanes <= channels; c += kLanes) body(c, F32());
    for (; c < channels; ++c) body(c, hn::CappedTag<float, 1>());
}

/// sums[c] += Σ_pixels (x[c] − mean[c])^power
template <int kPower>
void add_pixels(float const* x, std::int64_t stride, std::int64_t pixels, std::int64_t channels, float const* mean,
                float* sums) {
    for (std::int64_t p = 0; p < pixels; ++p, x += stride) {
        for_each_channel(channels, [&](std::int64_t c, auto d) HWY_ATTR {
            auto const value = hn::LoadU(d, x + c);
            auto const sum = hn::LoadU(d, sums + c);
            if constexpr (kPower == 1) {
                hn::StoreU(hn::Add(sum, value), d, sums + c);
            } else {
                auto const off = hn::Sub(value, hn::LoadU(d, mean + c));
                hn::StoreU(hn::MulAdd(off, off, sum), d, sums + c);
            }
        });
    }
}

/// Mean and squares of every group over one chunk. `sums` and `means` hold [C] each.
void chunk_statistics(float const* x, std::int64_t stride, std::int64_t pixels, NormShape const& s, float* sums,
                      float* means, Statistics* to) {
    std::int64_t const size = s.group_size();
    auto const total = [&](std::int64_t group) {
        double sum = 0;
        for (std::int64_t c = group * size; c < (group + 1) * size; ++c) sum += sums[c];
        return sum;
    };
    std::fill_n(sums, s.channels, 0.0F);
    add_pixels<1>(x, stride, pixels, s.channels, means, sums);
    for (std::int64_t g = 0; g < s.groups; ++g) {
        // Squares are taken around the float32 mean, which is therefore the mean that they belong to.
        auto const mean = static_cast<float>(total(g) / static_cast<double>(pixels * size));
        std::fill_n(means + g * size, size, mean);
        to[g].mean = total(g) / static_cast<double>(pixels * size);
    }
    std::fill_n(sums, s.channels, 0.0F);
    add_pixels<2>(x, stride, pixels, s.channels, means, sums);
    for (std::int64_t g = 0; g < s.groups; ++g) {
        double const off = to[g].mean - static_cast<double>(means[g * size]);
        to[g].squares = total(g) - off * off * static_cast<double>(pixels * size);
    }
}

/// The factors of one picture's channels from its chunks' statistics.
void merge_statistics(Op const& op, Launch const& launch, NormShape const& s, std::int64_t n, NormScratch const& to) {
    float const* const weight = floats(launch.inputs[Op::kWeight]);
    for (std::int64_t g = 0; g < s.groups; ++g) {
        double mean = 0;
        double squares = 0;
        double count = 0;
        for (std::int64_t i = 0; i < s.chunks; ++i) {
            Statistics const& part = to.parts[(n * s.chunks + i) * s.groups + g];
            auto const added = static_cast<double>(s.pixels_of(i) * s.group_size());
            double const off = part.mean - mean;
            count += added;
            mean += off * added / count;
            squares += part.squares + off * off * (count - added) * added / count;
        }
        double const factor = 1 / std::sqrt(squares / count + static_cast<double>(op.epsilon));
        for (std::int64_t c = g * s.group_size(); c < (g + 1) * s.group_size(); ++c) {
            to.mean[n * s.channels + c] = static_cast<float>(mean);
            to.scale[n * s.channels + c] = static_cast<float>(factor * weight[c]);
        }
    }
}

/// y = (x − mean) · scale + bias: as one multiply-add a mean far from zero would cancel.
void scale_pixels(Nhwc<float> const& x, Nhwc<float> const& y, std::int64_t first, std::int64_t pixels,
                  float const* mean, float const* scale, float const* bias) {
    for (std::int64_t p = first; p < first + pixels; ++p) {
        float const* const from = x.data + p * x.stride;
        float* const to = y.data + p * y.stride;
        for_each_channel(x.c, [&](std::int64_t c, auto d) HWY_ATTR {
            auto const off = hn::Sub(hn::LoadU(d, from + c), hn::LoadU(d, mean + c));
            hn::StoreU(hn::MulAdd(off, hn::LoadU(d, scale + c), hn::LoadU(d, bias + c)), d, to + c);
        });
    }
}

std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads) {
    ScratchCarver carver(nullptr);
    NormScratch(carver, NormShape(op, problem.inputs[Op::kX]), threads);
    return carver.used();
}

void launch_group_norm(Op const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[Op::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    NormShape const s(op, launch.inputs[Op::kX].shape);
    ScratchCarver carver(launch.workspace);
    NormScratch const scratch(carver, s, launch.threads->size());
    auto const first_pixel = [&](std::int64_t item) { return item / s.chunks * s.pixels + item % s.chunks * s.chunk; };
    launch.threads->parallel_for(s.n * s.chunks, [&](std::int64_t item, int worker) {
        float* const sums = scratch.sums + worker * NormScratch::worker_floats(s);
        chunk_statistics(x.data + first_pixel(item) * x.stride, x.stride, s.pixels_of(item % s.chunks), s, sums,
                         sums + round_up(x.c, 16), scratch.parts + item * s.groups);
    });
    launch.threads->parallel_for(s.n, [&](std::int64_t n, int) { merge_statistics(op, launch, s, n, scratch); });
    launch.threads->parallel_for(s.n * s.chunks, [&](std::int64_t item, int) {
        std::int64_t const n = item / s.chunks;
        scale_pixels(x, y, first_pixel(item), s.pixels_of(item % s.chunks), scratch.mean + n * x.c,
                     scratch.scale + n * x.c, floats(launch.inputs[Op::kBias]));
    });
}

}  // namespace

constexpr Entry<GroupNorm> group_norm_entry() {
    return {workspace_bytes, launch_group_norm};
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vitrum::cpu {
constinit EntryTable<GroupNorm> const kGroupNorm = VITRUM_CPU_TABLE(GroupNorm, group_norm_entry);
}  // namespace vitrum::cpu
#endif
