// SPDX-License-Identifier: Apache-2.0
// Patch merging: 2 × 2 pixels' channels → LayerNorm → matrix product, on tiles of tokens in vector lanes.
#include "scratch.h"
#include "simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/patch_merging.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/product-inl.h"
#include "simd/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {
namespace {

using Op = PatchMerging;

struct MergeShape {
    std::int64_t channels, outputs;
    std::int64_t tokens;  ///< of a tile

    MergeShape(std::int64_t c, std::int64_t o) : channels(c), outputs(o) {
        // Whole register blocks where the tile fits into the second-level cache beside the panels (1 MiB on Zen 4).
        constexpr std::int64_t kTileFloats = 200'000;
        tokens = (4 * c + o) * 64 <= kTileFloats ? 64 : 32;
    }
};

struct MergeScratch {
    float* x;            ///< [4C][T] the gathered, then normalised channels
    float* result;       ///< [O][T]
    float* trash;        ///< [O] where tokens beyond the last are stored
    float* zeros;        ///< [C] the pixels beyond an odd side
    float const** from;  ///< [4][T] pixels of x, part by part
    float** to;          ///< [T] pixels of the output

    MergeScratch(ScratchCarver& carver, MergeShape const& s) {
        // Transposes write whole groups of four channels.
        carver.take(x, (4 * s.channels + 4) * s.tokens);
        carver.take(result, round_up(s.outputs, 4) * s.tokens);
        carver.take(trash, round_up(s.outputs, 4));
        carver.take(zeros, round_up(s.channels, 4));
        carver.take(from, 4 * s.tokens);
        carver.take(to, s.tokens);
    }
};

/// The parts in the order in which their channels are joined: rows and columns 00, 10, 01, 11.
void find_pixels(Nhwc<float> const& x, Nhwc<float> const& y, MergeShape const& shape, std::int64_t first,
                 MergeScratch const& s) {
    std::fill_n(s.zeros, round_up(shape.channels, 4), 0.0F);
    for (std::int64_t t = 0; t < shape.tokens; ++t) {
        bool const real = first + t < y.pixels();
        std::int64_t const pixel = real ? first + t : first;
        std::int64_t const n = pixel / (y.h * y.w);
        for (std::int64_t part = 0; part < 4; ++part) {
            std::int64_t const row = pixel / y.w % y.h * 2 + part % 2;
            std::int64_t const column = pixel % y.w * 2 + part / 2;
            s.from[part * shape.tokens + t] = row < x.h && column < x.w ? x.pixel(n, row, column) : s.zeros;
        }
        s.to[t] = real ? y.data + pixel * y.stride : s.trash;
    }
}

void run_tile(Op const& op, Launch const& launch, MergeShape const& shape, std::int64_t first, MergeScratch const& s) {
    Nhwc<float> const x = nhwc(launch.inputs[Op::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    find_pixels(x, y, shape, first, s);
    // Part after part: the rows that one writes beyond its own belong to the next.
    for (std::int64_t part = 0; part < 4; ++part) {
        load_tile(s.from + part * shape.tokens, shape.tokens, shape.tokens, x.c, x.stride,
                  s.x + part * x.c * shape.tokens, shape.tokens);
    }
    Norm const norm{floats(launch.inputs[Op::kNormWeight]), floats(launch.inputs[Op::kNormBias]), op.norm_epsilon};
    normalise_tile(s.x, shape.tokens, shape.tokens, 4 * x.c, norm);
    linear(floats(launch.packed[0]), y.c, nullptr, {s.x, shape.tokens, 4 * x.c}, shape.tokens, s.result, shape.tokens,
           NoFinish());
    store_tile(s.result, shape.tokens, shape.tokens, shape.tokens, y.c, y.stride, s.to, nullptr);
}

std::size_t workspace_bytes(Op const&, Problem const& problem, int threads) {
    MergeShape const shape(problem.inputs[Op::kX][3], problem.inputs[Op::kWeight][0]);
    return static_cast<std::size_t>(threads) * scratch_bytes<MergeScratch>(shape);
}

void launch_merge(Op const& op, Launch const& launch) {
    MergeShape const shape(launch.inputs[Op::kX].shape[3], launch.inputs[Op::kWeight].shape[0]);
    std::int64_t const tiles = (nhwc(launch.outputs[0]).pixels() + shape.tokens - 1) / shape.tokens;
    launch.threads->parallel_for(tiles, [&](std::int64_t tile, int worker) {
        run_tile(op, launch, shape, tile * shape.tokens, scratch_of<MergeScratch>(launch, worker, shape));
    });
}

}  // namespace

constexpr Entry<PatchMerging> patch_merging_entry() {
    return {workspace_bytes, launch_merge};
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vitrum::cpu {
constinit EntryTable<PatchMerging> const kPatchMerging = VITRUM_CPU_TABLE(PatchMerging, patch_merging_entry);
}  // namespace vitrum::cpu
#endif
