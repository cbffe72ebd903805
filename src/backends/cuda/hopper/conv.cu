// SPDX-License-Identifier: Apache-2.0
// 3 × 3 convolutions as implicit matrix products. The patch that 16 × 16 pixels depend on lies in shared memory, so
// that a tap is an address: eight neighbouring pixels at eight channels are one of the 8 × 8 matrices that the products
// read, and the row of pixels below is the next one. Blocks stay: one warpgroup brings patches and weights of the next
// tiles while the others multiply.
#include "../fused_kernels.h"
#include "../kernels/conv2d.cuh"
#include "conv_patch.cuh"
#include "device.h"

namespace vitrum::cuda::hopper {
namespace {

/// Where the columns of a block go: their order is that of channels, or of a shuffle's offsets (see ConvBlocks).
template <int kColumns>
struct Outlet {
    ConvStore const& to;
    float* bias;  ///< of the columns, in shared memory
    int* places;  ///< of each four columns: from a pixel's first channel, in shared memory; −1 behind the last channel
    int first_column;
    bool is_sorted;

    __device__ Outlet(ConvStore const& store, std::byte* shared, int block)
        : to(store),
          bias(reinterpret_cast<float*>(shared)),
          places(reinterpret_cast<int*>(bias + kColumns)),
          first_column(block * kColumns),
          is_sorted(ConvBlocks::are_sorted(store.channels, store.factor)) {}
    static constexpr int kBytes = kColumns * 4 + kColumns / 4 * 4;

    /// By all threads of the block.
    __device__ void stage() const {
        for (int i = static_cast<int>(threadIdx.x); i < kColumns; i += static_cast<int>(blockDim.x)) {
            int const column = first_column + i;
            bool const is = column < to.channels;
            if (i % 4 == 0) places[i / 4] = is ? place(column) : -1;
            int const channel = is_sorted ? ConvBlocks::sorted_output(column, to.channels, to.factor) : column;
            bias[i] = is && to.finish.bias != nullptr ? to.finish.bias[channel] : 0.0F;
        }
    }
    /// Rows of whole quads, without GELU, and a residual that can be added first.
    [[nodiscard]] __device__ bool has_fast_way() const {
        bool const is_first =
            to.residual.data == nullptr || to.finish.residual_first || to.finish.activation == Activation::none;
        bool const is_aligned = to.y.vector && (to.residual.data == nullptr || to.residual.vector);
        return is_aligned && is_first && to.finish.activation != Activation::gelu && (is_sorted || to.factor == 1);
    }
    [[nodiscard]] __device__ bool adds_first() const { return to.residual.data != nullptr && has_fast_way(); }

private:
    [[nodiscard]] __device__ int place(int column) const {
        if (!is_sorted) return column;
        int const channels = to.channels / (to.factor * to.factor), offset = column / channels;
        std::int64_t const pixel = offset / to.factor * to.y.w + offset % to.factor;
        return static_cast<int>(pixel * to.y.stride) + column % channels;
    }
};

template <int kColumns_, int kChunks_>
struct Layout {
    static constexpr int kColumns = kColumns_, kChunks = kChunks_;
    /// Of few columns the products take less time than the patches, of which more warps bring more at once.
    static constexpr bool kManyLoaders = kColumns <= 64 && kChunks > 1;
    static constexpr int kGroups = kColumns > 128 || kManyLoaders ? 2 : 4;  ///< computing warpgroups
    static constexpr int kHalves = 4 / kGroups;  ///< of a warpgroup: sixty-fours of the tile's 256 pixels
    static constexpr int kLoaderGroups = kManyLoaders ? 2 : 1;
    static constexpr int kLoaders = 4 * kLoaderGroups - 1;  ///< warps that bring patches; the last one brings weights
    static constexpr int kThreads = (kGroups + kLoaderGroups) * kGroup;
    static constexpr int kRegisters = kManyLoaders   ? 152
                                      : kGroups == 2 ? 224
                                                     : 104,
                         kLoaderRegisters = kManyLoaders   ? 96
                                            : kGroups == 2 ? 56
                                                           : 64;
    /// Weights of one chunk stay; those of three pass by, half a chunk at a time.
    static constexpr int kParts = kChunks == 1 ? 1 : 2, kSteps = kConvChunk / 16 / kParts;
    static constexpr int kItems = 9 * kParts;  ///< of a chunk
    static constexpr int kWeightSlots = kChunks == 1 ? kItems : kColumns > 64 ? 4 : 8;
    using Weights = Ring<kWeightSlots, kChunks * kItems, kSteps * 16 * kColumns * 2>;
    static constexpr int kPatchSlots = kChunks == 1 ? 2 : 4;
    using Patches = PatchSlots<kPatchSlots, kLoaders>;
    using Loader = PatchLoader<kPatchSlots, kChunks, kLoaders>;
    static constexpr int kPatches = (Weights::kBytes + 127) / 128 * 128;
    static constexpr int kOutlet = kPatches + Patches::kBytes;
    static constexpr int kBarriers = kOutlet + Outlet<kColumns>::kBytes;
    static constexpr int kControl = kBarriers + Weights::kBarrierBytes;
    static constexpr int kBytes = kControl + Patches::kControlBytes;
    static_assert(kBytes <= 227 << 10);
};

/// The pixels of one computing warpgroup: eight rows of 8 or 16.
template <class L>
struct Rows {
    float sums[L::kHalves][L::kColumns / 2];
    Lane lane;
    int group;

    [[nodiscard]] __device__ int row() const { return 8 * (group * L::kHalves / 2); }
    [[nodiscard]] __device__ int column(int half) const { return 8 * (group * L::kHalves % 2 + half); }

    /// The products of the patch; returns what the sums are to be multiplied by. `chunk` and `item` count those of all
    /// tiles. Where `kAdds`, a residual that nothing happens to behind the sums is added to them on the way, a piece of
    /// it whenever some items are through: its loads are under way meanwhile.
    template <bool kAdds>
    __device__ float multiply(Outlet<L::kColumns> const& out, ConvTile const& tile, typename L::Patches const& patches,
                              typename L::Weights const& weights, float weight_unit, int& chunk, int& item) {
        constexpr int kPieces = kAdds ? static_cast<int>(divide_up(Piece::kCount, L::kChunks)) : 1;  // of a chunk
        constexpr int kRun = L::kItems / kPieces;
        float unit = 0;
#pragma unroll
        for (int part = 0; part < L::kChunks; ++part, ++chunk) {
            float const next = patches.wait_full(chunk) * weight_unit;
            if (part > 0 && next != unit) rescale(unit / next);
            unit = next;
            std::uint32_t const patch = patches.slot(chunk) + (row() * kPatch + column(0)) * 16;
#pragma unroll
            for (int i = 0; i < kPieces; ++i) {
                Piece piece(part * kPieces + i);
                if (kAdds) piece.fetch(*this, out, tile);
                run(patch, i * kRun, i + 1 < kPieces ? (i + 1) * kRun : L::kItems, part > 0, weights, item);
                if (kAdds) piece.add(sums, 1 / unit);
            }
            patches.release(chunk, lane);
        }
        return unit;
    }

    __device__ void store(Outlet<L::kColumns> const& out, ConvTile const& tile, float scale) const {
        bool const is_fast = out.has_fast_way();
#pragma unroll
        for (int half = 0; half < L::kHalves; ++half) {
#pragma unroll
            for (int below = 0; below < 2; ++below) {
                std::int64_t const m = pixel(out.to, tile, half, below);
                if (m < 0) continue;
                ConvStore::Row const place = out.to.row(m);
                if (is_fast) store_row(out, place, half, below, scale);
                else if constexpr (L::kColumns <= 64) store_row_any(out, place, half, below, scale);
            }
        }
    }

private:
    /// Of all pictures' pixels; −1 outside.
    [[nodiscard]] __device__ std::int64_t pixel(ConvStore const& to, ConvTile const& tile, int half, int below) const {
        std::int64_t const y = tile.top + row() + 2 * lane.warp + below, x = tile.left + column(half) + lane.row;
        return y < to.rows && x < to.columns ? (tile.picture * to.rows + y) * to.columns + x : -1;
    }
    /// Some residual of the lane's: neighbouring quads of channels of one of its pixels.
    struct Piece {
        static constexpr int kAllPairs = L::kColumns / 16, kPairs = kAllPairs % 3 == 0 ? 3 : kAllPairs % 2 == 0 ? 2 : 1;
        static constexpr int kOfPixel = kAllPairs / kPairs, kCount = L::kHalves * 2 * kOfPixel;
        int index;
        float4 values[kPairs];

        __device__ explicit Piece(int index_) : index(index_) {}
        __device__ void fetch(Rows const& rows, Outlet<L::kColumns> const& out, ConvTile const& tile) {
            if (index >= kCount) return;
            std::int64_t const m = rows.pixel(out.to, tile, index / kOfPixel / 2, index / kOfPixel % 2);
            float const* const from = out.to.residual.at(m) + out.first_column;
#pragma unroll
            for (int i = 0; i < kPairs; ++i) {
                int const own = 16 * (index % kOfPixel * kPairs + i) + 4 * rows.lane.quad;
                bool const is = m >= 0 && out.places[own / 4] >= 0;
                values[i] = is ? *reinterpret_cast<float4 const*>(from + own) : make_float4(0, 0, 0, 0);
            }
        }
        __device__ void add(float (&sums)[L::kHalves][L::kColumns / 2], float factor) const {
            if (index >= kCount) return;
#pragma unroll
            for (int i = 0; i < kPairs; ++i) {
                float* const s =
                    sums[index / kOfPixel / 2] + 8 * (index % kOfPixel * kPairs + i) + 2 * (index / kOfPixel % 2);
                s[0] = fmaf(values[i].x, factor, s[0]), s[1] = fmaf(values[i].y, factor, s[1]);
                s[4] = fmaf(values[i].z, factor, s[4]), s[5] = fmaf(values[i].w, factor, s[5]);
            }
        }
    };

    /// Items [first, last) of a chunk, and waits for them. Without `add` the first one begins the sums.
    __device__ void run(std::uint32_t patch, int first, int last, bool add, typename L::Weights const& weights,
                        int& item) {
#pragma unroll 1
        for (int i = first; i < last; ++i, ++item) {
            begin(patch + (i / L::kParts / 3 * kPatch + i / L::kParts % 3) * 16 +
                      i % L::kParts * (2 * L::kSteps * kPlane * 16),
                  weights, item, add || i > 0);
            if (i == first) continue;
            wait_for_products<1>();
            weights.release(item - 1, lane);
        }
        wait_for_products<0>();
        weights.release(item - 1, lane);
#pragma unroll
        for (auto& half : sums) settle(half);
    }
    __device__ void begin(std::uint32_t patch, typename L::Weights const& weights, int item, bool add) {
        weights.wait_full(item);
        fence_products();
        std::uint64_t const left = matrix_descriptor(patch, kPlane * 16, kPatch * 16),
                            right = matrix_descriptor(weights.slot(item), L::kColumns * 16);
#pragma unroll
        for (int k = 0; k < L::kSteps; ++k) {
#pragma unroll
            for (int half = 0; half < L::kHalves; ++half) {
                begin_product<L::kColumns>(sums[half], further(left, (2 * k * kPlane + 8 * half) * 16),
                                           further(right, k * 2 * L::kColumns * 16), add || k > 0);
            }
        }
        commit_products();
    }
    __device__ void rescale(float factor) {
#pragma unroll
        for (auto& half : sums) {
#pragma unroll
            for (float& sum : half) sum *= factor;
        }
    }
    [[nodiscard]] __device__ float4 quad(int half, int below, int pair, float scale) const {
        float const* const s = sums[half] + 8 * pair + 2 * below;
        return make_float4(s[0] * scale, s[1] * scale, s[4] * scale, s[5] * scale);
    }

    __device__ void store_row(Outlet<L::kColumns> const& out, ConvStore::Row const& place, int half, int below,
                              float scale) const {
        float const slope = out.to.finish.activation == Activation::none ? 1.0F : out.to.finish.negative_slope;
#pragma unroll
        for (int pair = 0; pair < L::kColumns / 16; ++pair) {
            int const own = 16 * pair + 4 * lane.quad, to = out.places[own / 4];
            if (to < 0) continue;
            float4 const v = quad(half, below, pair, scale) + *reinterpret_cast<float4 const*>(out.bias + own);
            *reinterpret_cast<float4*>(place.corner + to) =
                each(v, [&](float x, int) { return x < 0 ? x * slope : x; });
        }
    }

    /// What the fast way does not know: rows that are not aligned, GELU, a shuffle of single channels.
    __device__ void store_row_any(Outlet<L::kColumns> const& out, ConvStore::Row const& place, int half, int below,
                                  float scale) const {
#pragma unroll
        for (int pair = 0; pair < L::kColumns / 16; ++pair) {
            int const own = 16 * pair + 4 * lane.quad, to = out.places[own / 4];
            if (to < 0) continue;
            BiasedColumn const at{out.first_column + own, *reinterpret_cast<float4 const*>(out.bias + own)};
            float4 const v = quad(half, below, pair, scale);
            if (out.is_sorted) {
                store4(place.corner + to, out.to.finish(v, at.bias, make_float4(0, 0, 0, 0)), 4, out.to.y.vector);
            } else {
                out.to.store(place, at, out.to.fetch(place, at), v);
            }
        }
    }
};

template <class L>
__global__ void __launch_bounds__(L::kThreads, 1)
    conv_kernel(__grid_constant__ ConvTiles const tiles, __grid_constant__ Pixels const x, std::byte const* packed,
                float const* packed_unit, __grid_constant__ ConvStore const store) {
    auto& bytes = dynamic_shared<std::byte[L::kBytes]>();
    std::uint32_t const shared = shared_address(bytes);
    let_next_start();
    typename L::Weights const weights(shared, shared + L::kBarriers);
    typename L::Patches const patches(&bytes[L::kPatches], &bytes[L::kControl]);
    if (threadIdx.x == 0) {
        weights.init(L::kGroups);
        patches.init(L::kGroups);
        publish_barriers();
    }
    Outlet<L::kColumns> const out(store, &bytes[L::kOutlet], tiles.column_block());
    out.stage();
    __syncthreads();

    int const group = __shfl_sync(0xFFFFFFFFU, static_cast<int>(threadIdx.x) / kGroup, 0);
    if (group >= L::kGroups) {
        give_registers<L::kLoaderRegisters>();
        int const warp = __shfl_sync(0xFFFFFFFFU, (static_cast<int>(threadIdx.x) - L::kGroups * kGroup) / 32, 0);
        if (warp < L::kLoaders) {
            await_previous();
            typename L::Loader(patches, x, store.residual, warp).run(tiles);
        } else if (threadIdx.x % 32 == 0) {
            weights.fill(packed + static_cast<std::int64_t>(tiles.column_block()) * L::kChunks * 9 * kConvChunk *
                                      L::kColumns * 2,
                         tiles.rounds());
        }
        return;
    }
    take_registers<L::kRegisters>();
    float const weight_unit = *packed_unit;
    Rows<L> rows;
    rows.group = group;
    await_previous();
    int chunk = 0, item = 0;
    for (int index = tiles.first(); index < tiles.count; index += tiles.step()) {
        ConvTile const tile(tiles, index);
        float const unit = out.adds_first()
                               ? rows.template multiply<true>(out, tile, patches, weights, weight_unit, chunk, item)
                               : rows.template multiply<false>(out, tile, patches, weights, weight_unit, chunk, item);
        rows.store(out, tile, unit);
    }
}

template <int kColumns, int kChunks>
void run(Pixels const& x, ConvStore const& store, ConvBlocks const& blocks, Launch const& launch) {
    using L = Layout<kColumns, kChunks>;
    auto const across = static_cast<int>(divide_up(x.w, kSide)), down = static_cast<int>(divide_up(x.h, kSide));
    ConvTiles const tiles{across, down, static_cast<int>(x.n * across * down), blocks.blocks};
    std::int64_t const most = std::max(multiprocessors() / blocks.blocks, 1);
    start_shared<Start::early>(launch.stream, conv_kernel<L>, std::min<std::int64_t>(most, tiles.count) * blocks.blocks,
                               L::kThreads, L::kBytes, tiles, x, launch.packed[0],
                               floats(launch.packed[0] + blocks.unit_offset()), store);
}

}  // namespace
}  // namespace vitrum::cuda::hopper

namespace vitrum::cuda {

void HopperConvKernel::launch(Conv2d const& op, Launch const& launch) {
    Pixels const x(launch.inputs[Conv2d::kX]);
    ConvStore const store(op, launch);
    ConvBlocks const blocks(store.channels, x.c,
                            ConvBlocks::are_wide(op, store.channels, store.residual.data != nullptr));
    // Wide blocks know no other way out (see ConvBlocks); rows of whole quads are aligned in every buffer of ours.
    VITRUM_ASSERT(blocks.columns <= 64 ||
                  (store.y.vector && (store.residual.data == nullptr || store.residual.vector)));
    if (blocks.chunks == ConvBlocks::kMostChunks) {
        if (blocks.columns == 128) hopper::run<128, ConvBlocks::kMostChunks>(x, store, blocks, launch);
        else hopper::run<64, ConvBlocks::kMostChunks>(x, store, blocks, launch);
    } else if (blocks.chunks > 1) {
        if (blocks.columns == 192) hopper::run<192, 3>(x, store, blocks, launch);
        else hopper::run<64, 3>(x, store, blocks, launch);
    } else {
        switch (blocks.columns) {
            case 16: return hopper::run<16, 1>(x, store, blocks, launch);
            case 64: return hopper::run<64, 1>(x, store, blocks, launch);
            default: return hopper::run<128, 1>(x, store, blocks, launch);
        }
    }
}

}  // namespace vitrum::cuda
