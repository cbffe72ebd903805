// SPDX-License-Identifier: Apache-2.0
// norm → fc1 → GELU → fc2 → residual on tiles of tokens that never leave the second-level cache.
#include "scratch.h"
#include "simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/mlp.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/activation-inl.h"
#include "simd/product-inl.h"
#include "simd/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {
namespace {

using Op = Mlp;

// Whole register blocks on every target; the hidden layer of 360 channels takes 90 KiB.
constexpr std::int64_t kTokens = 64;

struct MlpShape {
    std::int64_t channels, hidden;
};

struct MlpScratch {
    float* x;            ///< [C][T] the normalised tokens, then the result
    float* hidden;       ///< [hidden][T]
    float* trash;        ///< [C] where the tokens beyond the last are stored
    float const** from;  ///< [T] pixels of x
    float const** next;  ///< [T] pixels of x that this worker will probably read next
    float const** add;   ///< [T] pixels of the residual
    float** to;          ///< [T] pixels of the output

    MlpScratch(ScratchCarver& carver, MlpShape const& s) {
        std::int64_t const rows = round_up(s.channels, 4);
        carver.take(x, rows * kTokens);
        carver.take(hidden, s.hidden * kTokens);
        carver.take(trash, rows);
        carver.take(from, kTokens);
        carver.take(next, kTokens);
        carver.take(add, kTokens);
        carver.take(to, kTokens);
    }
};

void find_pixels(Nhwc<float> const& x, Nhwc<float> const& residual, Nhwc<float> const& y, std::int64_t first,
                 std::int64_t next, MlpScratch const& s) {
    for (std::int64_t t = 0; t < kTokens; ++t) {
        bool const real = first + t < x.pixels();
        std::int64_t const pixel = real ? first + t : first;
        s.from[t] = x.data + pixel * x.stride;
        s.next[t] = x.data + std::min(next + t, x.pixels() - 1) * x.stride;
        s.add[t] = residual.data + pixel * residual.stride;
        s.to[t] = real ? y.data + pixel * y.stride : s.trash;
    }
}

void run_tile(Op const& op, Launch const& launch, MlpShape const& shape, std::int64_t first, std::int64_t next,
              MlpScratch const& s) {
    auto const& in = launch.inputs;
    Nhwc<float> const x = nhwc(in[Op::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    bool const has_residual = in[Op::kResidual].data != nullptr;
    Nhwc<float> const residual = has_residual ? nhwc(in[Op::kResidual]) : x;
    find_pixels(x, residual, y, first, next, s);
    load_tile(s.from, kTokens, 0, shape.channels, x.stride, s.x, kTokens);
    if (in[Op::kNormWeight].data != nullptr) {
        Norm const norm{floats(in[Op::kNormWeight]), floats(in[Op::kNormBias]), op.norm_epsilon};
        normalise_tile(s.x, kTokens, kTokens, shape.channels, norm);
    }
    Prefetcher prefetcher(kTokens, shape.hidden / kPanelRows + 1);
    prefetcher.add(s.next, shape.channels);
    if (y.data != x.data) prefetcher.add(s.to, shape.channels);
    if (residual.data != x.data && residual.data != y.data) prefetcher.add(s.add, shape.channels);
    auto const finish = [&](float* rows, int count) HWY_ATTR {
        activate(op.activation, 0, rows, count * kTokens, rows);
        prefetcher.step();
    };
    linear(floats(launch.packed[0]), shape.hidden, floats(in[Op::kFc1Bias]), {s.x, kTokens, shape.channels}, kTokens,
           s.hidden, kTokens, finish);
    linear(floats(launch.packed[1]), shape.channels, floats(in[Op::kFc2Bias]), {s.hidden, kTokens, shape.hidden},
           kTokens, s.x, kTokens, NoFinish());
    store_tile(s.x, kTokens, kTokens, 0, shape.channels, y.stride, s.to, has_residual ? s.add : nullptr);
}

std::size_t workspace_bytes(Op const&, Problem const& problem, int threads) {
    MlpShape const shape{problem.inputs[Op::kX][3], problem.inputs[Op::kFc1Weight][0]};
    return static_cast<std::size_t>(threads) * scratch_bytes<MlpScratch>(shape);
}

void launch_mlp(Op const& op, Launch const& launch) {
    MlpShape const shape{launch.inputs[Op::kX].shape[3], launch.inputs[Op::kFc1Weight].shape[0]};
    std::int64_t const tiles = (nhwc(launch.inputs[Op::kX]).pixels() + kTokens - 1) / kTokens;
    launch.threads->parallel_for(tiles, [&](std::int64_t tile, int worker) {
        // The tile that this worker will probably run next.
        std::int64_t const next = std::min(tile + launch.threads->size(), tiles - 1);
        run_tile(op, launch, shape, tile * kTokens, next * kTokens, scratch_of<MlpScratch>(launch, worker, shape));
    });
}

}  // namespace

constexpr Entry<Mlp> mlp_entry() {
    return {workspace_bytes, launch_mlp};
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vitrum::cpu {
constinit EntryTable<Mlp> const kMlp = VITRUM_CPU_TABLE(Mlp, mlp_entry);
}  // namespace vitrum::cpu
#endif
