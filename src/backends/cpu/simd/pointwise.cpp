// SPDX-License-Identifier: Apache-2.0
// Operators that are bound by memory: LayerNorm on its own, Add, Activate.
#include "scratch.h"
#include "simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/pointwise.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/activation-inl.h"
#include "simd/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kTokens = 64;

struct NormScratch {
    float* x;            ///< [C][T]
    float* trash;        ///< [C]
    float const** from;  ///< [T]
    float** to;          ///< [T]

    NormScratch(ScratchCarver& carver, std::int64_t channels) {
        carver.take(x, round_up(channels, 4) * kTokens);
        carver.take(trash, round_up(channels, 4));
        carver.take(from, kTokens);
        carver.take(to, kTokens);
    }
};

std::size_t norm_workspace_bytes(LayerNorm const&, Problem const& problem, int threads) {
    return static_cast<std::size_t>(threads) * scratch_bytes<NormScratch>(problem.inputs[LayerNorm::kX][3]);
}

void launch_norm(LayerNorm const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[LayerNorm::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    Norm const norm{floats(launch.inputs[LayerNorm::kWeight]), floats(launch.inputs[LayerNorm::kBias]), op.epsilon};
    launch.threads->parallel_for((x.pixels() + kTokens - 1) / kTokens, [&](std::int64_t tile, int worker) {
        auto const s = scratch_of<NormScratch>(launch, worker, x.c);
        std::int64_t const first = tile * kTokens;
        for (std::int64_t t = 0; t < kTokens; ++t) {
            bool const real = first + t < x.pixels();
            s.from[t] = x.data + (real ? first + t : first) * x.stride;
            s.to[t] = real ? y.data + (first + t) * y.stride : s.trash;
        }
        load_tile(s.from, kTokens, kTokens, x.c, x.stride, s.x, kTokens);
        normalise_tile(s.x, kTokens, kTokens, x.c, norm);
        store_tile(s.x, kTokens, kTokens, kTokens, x.c, y.stride, s.to, nullptr);
    });
}

/// Splits all floats of two or three tensors of one layout, padding included, among the threads:
/// body(pixel, count): `count` floats from that pixel on lie side by side in every tensor. That is a run of pixels with
/// their padding where all strides are equal, and one pixel where an input or output of the graph, which is packed,
/// meets padded ones. The last pixel's padding is left out: nothing promises that it is there.
template <class Body>
void for_each_run(Launch const& launch, Nhwc<float> const& y, bool same_strides, Body const& body) {
    constexpr std::int64_t kChunk = 16384;  // floats: 64 KiB of each tensor
    std::int64_t const chunk = std::max<std::int64_t>(1, kChunk / y.stride);
    std::int64_t const pixels = y.pixels();
    launch.threads->parallel_for((pixels + chunk - 1) / chunk, [&](std::int64_t item, int) {
        std::int64_t const first = item * chunk;
        std::int64_t const last = std::min(first + chunk, pixels);
        if (same_strides) return body(first, (last - first - 1) * y.stride + y.c);
        for (std::int64_t pixel = first; pixel < last; ++pixel) body(pixel, y.c);
    });
}

void launch_add(Add const&, Launch const& launch) {
    Nhwc<float> const a = nhwc(launch.inputs[Add::kA]);
    Nhwc<float> const b = nhwc(launch.inputs[Add::kB]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    bool const same = a.stride == y.stride && b.stride == y.stride;
    for_each_run(launch, y, same, [&](std::int64_t pixel, std::int64_t count) {
        float const* const pa = a.data + pixel * a.stride;
        float const* const pb = b.data + pixel * b.stride;
        float* const to = y.data + pixel * y.stride;
        F32 const d;
        std::int64_t i = 0;
        for (; i + kLanes <= count; i += kLanes) {
            hn::StoreU(hn::Add(hn::LoadU(d, pa + i), hn::LoadU(d, pb + i)), d, to + i);
        }
        for (; i < count; ++i) to[i] = pa[i] + pb[i];
    });
}

void launch_activate(Activate const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[Activate::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    for_each_run(launch, y, x.stride == y.stride, [&](std::int64_t pixel, std::int64_t count) {
        float const* const from = x.data + pixel * x.stride;
        float* const to = y.data + pixel * y.stride;
        std::int64_t const whole = count / kLanes * kLanes;
        activate(op.activation, op.negative_slope, from, whole, to);
        if (whole == count) return;
        alignas(64) float rest[kLanes] = {};
        std::copy_n(from + whole, count - whole, rest);
        activate(op.activation, op.negative_slope, rest, kLanes, rest);
        std::copy_n(rest, count - whole, to + whole);
    });
}

template <class O>
std::size_t no_workspace(O const&, Problem const&, int) {
    return 0;
}

}  // namespace

constexpr Entry<LayerNorm> norm_entry() {
    return {norm_workspace_bytes, launch_norm};
}
constexpr Entry<Add> add_entry() {
    return {no_workspace<Add>, launch_add};
}
constexpr Entry<Activate> activate_entry() {
    return {no_workspace<Activate>, launch_activate};
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vitrum::cpu {
constinit EntryTable<LayerNorm> const kLayerNorm = VITRUM_CPU_TABLE(LayerNorm, norm_entry);
constinit EntryTable<Add> const kAdd = VITRUM_CPU_TABLE(Add, add_entry);
constinit EntryTable<Activate> const kActivate = VITRUM_CPU_TABLE(Activate, activate_entry);
}  // namespace vitrum::cpu
#endif
