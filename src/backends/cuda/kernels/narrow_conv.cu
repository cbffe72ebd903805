// SPDX-License-Identifier: Apache-2.0
// 3 × 3 convolutions from and to at most 32 channels: little arithmetic per byte. A block per multiprocessor keeps the
// weights and goes from tile to tile; the patch of the next one is on its way while this one's is multiplied. A warp has
// four rows of 16 pixels, and a row of the patch that it has loaded and rounded serves the taps of three rows.
#include "../fused_kernels.h"
#include "conv2d.cuh"
#include "fragments.cuh"

namespace vitrum::cuda {
namespace {

using Weights = NarrowConvWeights;

constexpr int kRows = 16, kColumns = 32;  // of a tile
constexpr int kPatchRows = kRows + 2, kPatchColumns = kColumns + 2;
constexpr int kQuads = Weights::kMostChannels / 4;
constexpr int kOwnRows = 4;  // of a warp
constexpr int kWarpsAcross = kColumns / 16, kWarps = kRows / kOwnRows * kWarpsAcross, kThreads = 32 * kWarps;
static_assert(kThreads == kColumns * kQuads, "a thread copies one column's quad, row after row");

using Patch = float4[kPatchRows * kPatchColumns][kQuads];

struct Shared {
    alignas(16) std::uint32_t weights[Weights::kWords];
    alignas(16) Patch patches[2];
};

/// Where a pixel's quad lies: neighbours use different halves of the banks.
[[nodiscard]] __device__ int slot(int pixel, int quad) {
    return quad ^ (pixel & 1) << 2;
}

struct NarrowConv {
    Pixels x;
    std::uint32_t const* weights;
    ConvStore store;
    std::int64_t down, across;  ///< tiles of a picture

    [[nodiscard]] __host__ __device__ std::int64_t tiles() const { return x.n * down * across; }
    /// A tile's picture, first row and first column.
    [[nodiscard]] __device__ Place place(std::int64_t tile) const {
        Place at(tile, down, across);
        at.row *= kRows, at.column *= kColumns;
        return at;
    }
};

/// One thread's copies of a tile's patch to shared memory.
class PatchCopy {
public:
    __device__ PatchCopy(NarrowConv const& conv, std::int64_t tile)
        : x_(conv.x), at_(conv.place(tile)), quad_(static_cast<int>(threadIdx.x) % kQuads), left_(x_.c - 4 * quad_) {}

    /// Begins them; padding's contents may come along.
    __device__ void begin(Patch& patch) const {
        for_each([&](int row, int column) {
            std::int64_t const r = at_.row + row - 1, c = at_.column + column - 1;
            bool const exists = left_ > 0 && r >= 0 && r < x_.h && c >= 0 && c < x_.w;
            float const* const from = x_.at((at_.n * x_.h + r) * x_.w + c) + 4 * quad_;
            float4& to = patch[row * kPatchColumns + column][slot(row * kPatchColumns + column, quad_)];
            if (x_.vector) copy_async_or_zero(&to, exists ? from : x_.data, exists);
            else to = load4(from, exists ? left_ : 0, false);
        });
        commit_copies();
    }
    /// Clears what came along behind the last channel.
    __device__ void clear_padding(Patch& patch) const {
        if (!x_.vector || left_ <= 0 || left_ >= 4) return;
        for_each([&](int row, int column) {
            float4& quad = patch[row * kPatchColumns + column][slot(row * kPatchColumns + column, quad_)];
            quad = first4(quad, left_);
        });
    }

private:
    /// f(row, column) of the patch: the own column's, and a share of the last two columns.
    template <class F>
    __device__ void for_each(F const& f) const {
        int const own = static_cast<int>(threadIdx.x) / kQuads;
#pragma unroll 6
        for (int row = 0; row < kPatchRows; ++row) f(row, own);
        for (int i = own; i < 2 * kPatchRows; i += kThreads / kQuads) f(i / 2, kColumns + i % 2);
    }

    Pixels const& x_;
    Place at_;
    int quad_, left_;
};

/// One warp's rows of a tile.
struct RowSums {
    SumQuads sums[kOwnRows][Weights::kTiles / 2] = {};

    __device__ void multiply(Shared const& shared, Patch const& patch, int first_row, int first_column) {
        int const lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
#pragma unroll 1
        for (int i = 0; i < Weights::kSide * Weights::kSteps; ++i) {
            int const across = i / Weights::kSteps, step = i % Weights::kSteps;
            Right<Tf32> right[Weights::kSide][Weights::kTiles];
#pragma unroll
            for (int n = 0; n < Weights::kSide * Weights::kTiles; ++n) {
                int const tile = Weights::tile(across, step, 0) + n;
                right[n / Weights::kTiles][n % Weights::kTiles].load(shared.weights + tile * Weights::kTileWords, lane);
            }
#pragma unroll
            for (int row = 0; row < kOwnRows + 2; ++row) {
                int const pixel = (first_row + row) * kPatchColumns + first_column + across + g;
                Quads quads;
                quads.set(0, patch[pixel][slot(pixel, step * 4 + t)]);
                quads.set(1, patch[pixel + 8][slot(pixel + 8, step * 4 + t)]);
                Left<Tf32> const left(quads);
#pragma unroll
                for (int down = 0; down < Weights::kSide; ++down) {
                    if (row < down || row - down >= kOwnRows) continue;
#pragma unroll
                    for (int j = 0; j < Weights::kTiles; ++j) {
                        multiply_add(sums[row - down][j / 2].tiles[j % 2], left, right[down][j]);
                    }
                }
            }
        }
    }

    /// Two rows at a time, so that what the store reads is asked for together.
    __device__ void store(NarrowConv const& conv, Place const& at, ConvStore::Column const (&columns)[2]) const {
        int const g = static_cast<int>(threadIdx.x) % 32 / 4;
#pragma unroll
        for (int first = 0; first < kOwnRows; first += 2) {
            ConvStore::Row rows[4];
            ConvStore::Raw raw[4][2];
            bool exists[4];
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                std::int64_t const row = at.row + first + i / 2, column = at.column + g + i % 2 * 8;
                exists[i] = row < conv.x.h && column < conv.x.w;
                if (!exists[i]) continue;
                rows[i] = conv.store.row((at.n * conv.x.h + row) * conv.x.w + column);
#pragma unroll
                for (int j = 0; j < 2; ++j) raw[i][j] = conv.store.fetch(rows[i], columns[j]);
            }
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                if (!exists[i]) continue;
#pragma unroll
                for (int j = 0; j < 2; ++j) {
                    if (columns[j].first >= conv.store.channels) continue;
                    conv.store.store(rows[i], columns[j], raw[i][j], sums[first + i / 2][j].quad(i % 2));
                }
            }
        }
    }
};

__global__ void __launch_bounds__(kThreads, 1) narrow_conv_kernel(NarrowConv const conv) {
    auto& shared = dynamic_shared<Shared>();
    int const warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    int const first_row = warp / kWarpsAcross * kOwnRows, first_column = warp % kWarpsAcross * 16;
    for (int i = static_cast<int>(threadIdx.x); i < Weights::kWords / 4; i += kThreads) {
        copy_async(shared.weights + 4 * i, conv.weights + 4 * i);
    }
    ConvStore::Column const columns[2] = {conv.store.column(lane % 4 * 4), conv.store.column(16 + lane % 4 * 4)};
    std::int64_t tile = blockIdx.x;
    PatchCopy(conv, tile).begin(shared.patches[0]);
    for (int buffer = 0; tile < conv.tiles(); tile += gridDim.x, buffer ^= 1) {
        wait_for_copies<0>();
        PatchCopy(conv, tile).clear_padding(shared.patches[buffer]);
        __syncthreads();
        if (tile + gridDim.x < conv.tiles()) PatchCopy(conv, tile + gridDim.x).begin(shared.patches[buffer ^ 1]);
        RowSums rows;
        rows.multiply(shared, shared.patches[buffer], first_row, first_column);
        Place at = conv.place(tile);
        at.row += first_row, at.column += first_column;
        rows.store(conv, at, columns);
    }
}

}  // namespace

Support NarrowConvKernel::supports(Conv2d const& op, Problem const& problem) {
    if (op.kernel != 3 || op.stride != 1) return {false, "for 3 × 3 and stride 1 only"};
    Shape const& weight = problem.inputs[Conv2d::kWeight];
    for (int const channels : {0, 1}) {
        if (weight[channels] <= Weights::kMostChannels / 2 || weight[channels] > Weights::kMostChannels) {
            return {false, "serves 17 to 32 channels"};
        }
    }
    Support const served = serves(Precision::tf32, problem.precision);
    return served.ok ? shared_support(sizeof(Shared)) : served;
}

void NarrowConvKernel::launch(Conv2d const& op, Launch const& launch) {
    Pixels const x(launch.inputs[Conv2d::kX]);
    NarrowConv const conv{x, reinterpret_cast<std::uint32_t const*>(launch.packed[0]), ConvStore(op, launch),
                          divide_up(x.h, kRows), divide_up(x.w, kColumns)};
    std::int64_t const blocks = std::min<std::int64_t>(conv.tiles(), device_attribute(cudaDevAttrMultiProcessorCount));
    start_shared(launch.stream, narrow_conv_kernel, blocks, kThreads, sizeof(Shared), conv);
}

}  // namespace vitrum::cuda
