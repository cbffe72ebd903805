// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../operands.h"
#include "device.cuh"
#include "ptx/tensor_core.cuh"

// y = epilogue(A · B) on tensor cores, sums in float32; gemm.cuh says what loaders and stores are. Operands are rounded
// on their way into shared memory; B was rounded on the host (operands.h). While a block multiplies one stage of the
// depth, the next one is on its way: A through registers, B by asynchronous copies.

namespace vitrum::cuda {

template <Precision precision>
struct OperandOf;
template <>
struct OperandOf<Precision::fp16> {
    using Type = Fp16;
};
template <>
struct OperandOf<Precision::bf16> {
    using Type = Bf16;
};
template <>
struct OperandOf<Precision::tf32> {
    using Type = Tf32;
};

/// True float32 as two parts.
struct SplitTf32 : Tf32 {
    static constexpr Precision kPrecision = Precision::fp32;
};
template <>
struct OperandOf<Precision::fp32> {
    using Type = SplitTf32;
};

/// Its products are TF32's.
template <>
__device__ inline void multiply_add<SplitTf32>(float (&sums)[4], std::uint32_t const (&a)[4],
                                               std::uint32_t const (&b)[2]) {
    multiply_add<Tf32>(sums, a, b);
}

template <class Operand>
constexpr int kParts = operand_parts(Operand::kPrecision);
/// Registers from an instruction's part of a row to the next one's.
template <class Operand>
constexpr int kStepRegisters = 8 * kParts<Operand>;

constexpr int kTensorThreads = 256;

struct alignas(16) Registers4 {
    std::uint32_t r[4];
};
struct alignas(8) Registers2 {
    std::uint32_t r[2];
};

/// Where the operands of quad i of a row begin, counted in registers. The parts of a step follow each other.
template <class Operand>
[[nodiscard]] __device__ int quad_register(int i) {
    constexpr int kQuadsOfStep = 2 * Operand::kPerRegister;
    return i / kQuadsOfStep * kStepRegisters<Operand> + i % kQuadsOfStep * 4 / Operand::kPerRegister;
}

/// Four numbers of a row, rounded, to neighbouring registers. at(register): its address.
template <class Operand, class Address>
__device__ void store_operands(Address const& at, int first, float4 v) {
    if constexpr (Operand::kPerRegister == 2) {
        *reinterpret_cast<Registers2*>(at(first)) = {{Operand::pack(v.x, v.y), Operand::pack(v.z, v.w)}};
    } else {
        Registers4 const high = {{Operand::pack(v.x), Operand::pack(v.y), Operand::pack(v.z), Operand::pack(v.w)}};
        *reinterpret_cast<Registers4*>(at(first)) = high;
        if constexpr (kParts<Operand> == 2) {
            *reinterpret_cast<Registers4*>(at(first + 8)) = {
                {Operand::pack(v.x - Operand::unpack(high.r[0])), Operand::pack(v.y - Operand::unpack(high.r[1])),
                 Operand::pack(v.z - Operand::unpack(high.r[2])), Operand::pack(v.w - Operand::unpack(high.r[3]))}};
        }
    }
}

/// One number of a weight.
template <class Operand>
__device__ void store_operand(std::byte* weight, OperandExtent const& extent, std::int64_t column, std::int64_t k,
                              float value) {
    if constexpr (Operand::kPerRegister == 2) {
        auto* const to = reinterpret_cast<std::uint16_t*>(weight);
        to[extent.place(column, k)] = static_cast<std::uint16_t>(Operand::pack(value, 0));
    } else {
        auto* const to = reinterpret_cast<std::uint32_t*>(weight);
        std::uint32_t const high = Operand::pack(value);
        to[extent.place(column, k)] = high;
        if constexpr (kParts<Operand> == 2)
            to[extent.place(column, k, 1)] = Operand::pack(value - Operand::unpack(high));
    }
}

/// A warp's sums: kRowTiles · 16 rows × kPairs · 16 columns.
template <class Operand, int kRowTiles, int kPairs>
struct TensorSums {
    static constexpr bool kSplit = kParts<Operand> == 2;
    float sums[kRowTiles][2 * kPairs][4];
    /// Of the current stage. Tensor cores cut sums off where float32 ends instead of rounding them, which over many
    /// steps costs more than true float32 may lose; so they sum a stage from zero.
    float stage[kSplit ? kRowTiles : 1][kSplit ? 2 * kPairs : 1][4];

    /// One step of the depth. a(i, part): the address in shared memory of row lane % 16 of row tile i, its lower 16
    /// bytes for the lanes below 16, its upper ones for the others. b: this lane's registers for the first 16 columns,
    /// those of the other part `to_part` further.
    template <class RowAddress>
    __device__ void multiply(RowAddress const& a, Registers4 const* b, int to_part) {
        Registers4 right[kParts<Operand>][kPairs];
#pragma unroll
        for (int part = 0; part < kParts<Operand>; ++part) {
#pragma unroll
            for (int j = 0; j < kPairs; ++j) right[part][j] = b[part * to_part + j * 32];
        }
#pragma unroll
        for (int i = 0; i < kRowTiles; ++i) {
            std::uint32_t left[4];
            load_matrices(left, a(i, 0));
            if constexpr (kSplit) {
                std::uint32_t rest[4];
                load_matrices(rest, a(i, 1));
                add(stage[i], rest, right[0]);
                add(stage[i], left, right[1]);
                add(stage[i], left, right[0]);
            } else {
                add(sums[i], left, right[0]);
            }
        }
    }
    static __device__ void add(float (&to)[2 * kPairs][4], std::uint32_t const (&left)[4],
                               Registers4 const (&right)[kPairs]) {
#pragma unroll
        for (int j = 0; j < kPairs; ++j) {
            multiply_add<Operand>(to[2 * j], left, {right[j].r[0], right[j].r[1]});
            multiply_add<Operand>(to[2 * j + 1], left, {right[j].r[2], right[j].r[3]});
        }
    }
    __device__ void scale(float factor) {
#pragma unroll
        for (int i = 0; i < kRowTiles * 2 * kPairs * 4; ++i) {
            sums[i / (8 * kPairs)][i / 4 % (2 * kPairs)][i % 4] *= factor;
        }
    }
    __device__ void end_stage() {
        if constexpr (kSplit) {
#pragma unroll
            for (int i = 0; i < kRowTiles * 2 * kPairs * 4; ++i) {
                float& own = stage[i / (8 * kPairs)][i / 4 % (2 * kPairs)][i % 4];
                sums[i / (8 * kPairs)][i / 4 % (2 * kPairs)][i % 4] += own;
                own = 0;
            }
        }
    }

    /// row_of(i, r): the store's row of row r of row tile i, or −1 where there is none. What the store reads for a row
    /// tile is fetched at once.
    template <class Store, class RowOf>
    __device__ void store(Store const& to, int first_column, int columns, RowOf const& row_of) const {
        int const lane = static_cast<int>(threadIdx.x) % 32;
        typename Store::Column at[kPairs];
#pragma unroll
        for (int j = 0; j < kPairs; ++j) at[j] = to.column(first_column + j * 16 + lane % 4 * 4);
        int const left = columns - first_column - lane % 4 * 4;
        constexpr int kAhead = kPairs >= 3 ? 1 : 0;  // where registers are left for it
        PendingRow<Store> pending[kAhead + 1][2];
#pragma unroll
        for (int i = 0; i < kRowTiles + kAhead; ++i) {
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                if (i < kRowTiles) pending[i % (kAhead + 1)][half].fetch(to, row_of(i, half * 8 + lane / 4), at, left);
            }
            int const ready = i - kAhead;
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                if (ready >= 0) pending[ready % (kAhead + 1)][half].store(to, at, left, sums[ready], half);
            }
        }
    }

private:
    template <class Store>
    struct PendingRow {
        bool exists;
        typename Store::Row row;
        typename Store::Raw raw[kPairs];

        __device__ void fetch(Store const& to, std::int64_t m, typename Store::Column const (&at)[kPairs], int left) {
            exists = m >= 0;
            if (!exists) return;
            row = to.row(m);
#pragma unroll
            for (int j = 0; j < kPairs; ++j) {
                if (j * 16 < left) raw[j] = to.fetch(row, at[j]);
            }
        }
        __device__ void store(Store const& to, typename Store::Column const (&at)[kPairs], int left,
                              float const (&from)[2 * kPairs][4], int half) const {
            if (!exists) return;
#pragma unroll
            for (int j = 0; j < kPairs; ++j) {
                float const *const low = from[2 * j] + 2 * half, *const high = from[2 * j + 1] + 2 * half;
                if (j * 16 < left) to.store(row, at[j], raw[j], make_float4(low[0], low[1], high[0], high[1]));
            }
        }
    };
};

/// How eight warps share a block of kTileRows × kColumns results, and what lies in shared memory.
template <class Operand, int kColumns>
struct TensorTile {
    static constexpr int kWarpsDown = kColumns == 192 ? 2 : 4;
    static constexpr int kWarpsAcross = kTensorThreads / 32 / kWarpsDown;
    static constexpr int kRowTiles = kTileRows / kWarpsDown / 16;
    static constexpr int kPairs = kColumns / kWarpsAcross / 16;
    static constexpr int kDepth = stage_depth(Operand::kPrecision);
    static constexpr int kSteps = kDepth / step_depth(Operand::kPrecision);
    static constexpr int kRowRegisters = kSteps * kStepRegisters<Operand>;
    static constexpr int kQuadsOfRow = kDepth / 4;
    static constexpr int kRowsAtOnce = kTensorThreads / kQuadsOfRow;
    static constexpr int kRowsEach = kTileRows / kRowsAtOnce;
    static constexpr int kUnits = kSteps * kParts<Operand>;
    static constexpr int kLoadsOfB = kUnits * kColumns * 2 / kTensorThreads;
    static_assert(kUnits * kColumns * 2 % kTensorThreads == 0);

    struct Stage {
        std::uint32_t a[kTileRows][kRowRegisters];
        Registers4 b[kUnits][kColumns / 16][32];
    };
    Stage stages[2];

    /// The chunks of 16 bytes of a row are permuted so that neither the stores nor the eight rows that are loaded
    /// together meet in a bank.
    [[nodiscard]] static __device__ int chunk_at(int row, int chunk) {
        return kRowRegisters == 32 ? chunk ^ (row & 7) : chunk ^ (row >> 1 & 3);
    }
    [[nodiscard]] static __device__ std::uint32_t* at(Stage& stage, int row, int index) {
        return &stage.a[row][chunk_at(row, index / 4) * 4 + index % 4];
    }

    /// B's operands of a stage, by asynchronous copies.
    static __device__ void fetch(Stage& stage, Registers4 const* b, OperandExtent const& extent, int first_column,
                                 std::int64_t first_step) {
        int const thread = static_cast<int>(threadIdx.x);
        Registers4* const to = &stage.b[0][0][0];
        Registers4 const* const from = b + (first_step * kParts<Operand> * extent.columns + first_column) * 2;
#pragma unroll
        for (int i = 0; i < kLoadsOfB; ++i) {
            int const at = thread + i * kTensorThreads, unit = at / (kColumns * 2);
            copy_async(to + at, from + unit * extent.columns * 2 + at % (kColumns * 2));
        }
        commit_copies();
    }
};

/// The rows of A that a thread loads, and a stage of them on its way.
template <class Operand, int kColumns, class Load>
struct TensorRows {
    using Tile = TensorTile<Operand, kColumns>;
    typename Load::Row rows[Tile::kRowsEach];
    typename Load::Quad quad;
    typename Load::Raw staged[Tile::kRowsEach];

    __device__ TensorRows(Load const& load, std::int64_t first_row, std::int64_t count) {
#pragma unroll
        for (int i = 0; i < Tile::kRowsEach; ++i) {
            std::int64_t const m = first_row + own(i);
            rows[i] = load.row(m < count ? m : count - 1);  // never stored
        }
    }
    [[nodiscard]] static __device__ int own(int i) {
        return static_cast<int>(threadIdx.x) / Tile::kQuadsOfRow + i * Tile::kRowsAtOnce;
    }
    __device__ void fetch(Load const& load, int k) {
        quad = load.quad(k + static_cast<int>(threadIdx.x) % Tile::kQuadsOfRow * 4);
#pragma unroll
        for (int i = 0; i < Tile::kRowsEach; ++i) staged[i] = load.fetch(rows[i], quad);
    }
    __device__ void put(Load const& load, typename Tile::Stage& stage) const {
        int const first = quad_register<Operand>(static_cast<int>(threadIdx.x) % Tile::kQuadsOfRow);
#pragma unroll
        for (int i = 0; i < Tile::kRowsEach; ++i) {
            store_operands<Operand>([&](int index) { return Tile::at(stage, own(i), index); }, first,
                                    load.finish(rows[i], quad, staged[i]));
        }
    }
};

struct TensorExtent {
    std::int64_t rows;
    int columns;
    OperandExtent operands;
};

template <class Operand, int kColumns, class Load, class Store>
__global__ void __launch_bounds__(kTensorThreads, kColumns == 64 ? 2 : 1)
    tensor_kernel(TensorExtent extent, Load load, std::byte const* weight, Store store) {
    using Tile = TensorTile<Operand, kColumns>;
    Tile& tile = dynamic_shared<Tile>();
    take_turn();
    auto const* const b = reinterpret_cast<Registers4 const*>(weight);
    int const column_tiles = static_cast<int>(extent.operands.columns) / kColumns;
    int const block = static_cast<int>(blockIdx.x), lane = static_cast<int>(threadIdx.x) % 32;
    int const warp = static_cast<int>(threadIdx.x) / 32;
    std::int64_t const first_row = static_cast<std::int64_t>(block / column_tiles) * kTileRows;
    int const first_column = block % column_tiles * kColumns;
    int const own_row = warp / Tile::kWarpsAcross * Tile::kRowTiles * 16;
    int const own_pair = warp % Tile::kWarpsAcross * Tile::kPairs;

    TensorRows<Operand, kColumns, Load> rows(load, first_row, extent.rows);
    TensorSums<Operand, Tile::kRowTiles, Tile::kPairs> sums{};
    Tile::fetch(tile.stages[0], b, extent.operands, first_column, 0);
    rows.fetch(load, 0);
    rows.put(load, tile.stages[0]);
    wait_for_copies<0>();
    __syncthreads();
    int const steps = static_cast<int>(extent.operands.steps);
    for (int step = 0, buffer = 0; step < steps; step += Tile::kSteps, buffer ^= 1) {
        bool const more = step + Tile::kSteps < steps;
        typename Tile::Stage &own = tile.stages[buffer], &next = tile.stages[buffer ^ 1];
        if (more) {
            Tile::fetch(next, b, extent.operands, first_column, step + Tile::kSteps);
            rows.fetch(load, (step + Tile::kSteps) * Operand::kPerRegister * 8);
        }
#pragma unroll
        for (int s = 0; s < Tile::kSteps; ++s) {
            auto const a = [&](int i, int part) {
                int const index = s * kStepRegisters<Operand> + part * 8 + lane / 16 * 4;
                return Tile::at(own, own_row + i * 16 + lane % 16, index);
            };
            sums.multiply(a, &own.b[s * kParts<Operand>][own_pair][lane], kColumns * 2);
        }
        sums.end_stage();
        if (more) rows.put(load, next);
        wait_for_copies<0>();
        __syncthreads();
    }
    sums.store(store, first_column + own_pair * 16, extent.columns, [&](int i, int row) {
        std::int64_t const m = first_row + own_row + i * 16 + row;
        return m < extent.rows ? m : -1;
    });
}

template <class Operand, int kColumns, class Load, class Store>
void start_tensor_kernel(void* stream, TensorExtent const& extent, Load const& load, std::byte const* weight,
                         Store const& store) {
    std::int64_t const blocks = divide_up(extent.rows, kTileRows) * (extent.operands.columns / kColumns);
    start_shared<Start::early>(stream, tensor_kernel<Operand, kColumns, Load, Store>, blocks, kTensorThreads,
                 sizeof(TensorTile<Operand, kColumns>), extent, load, weight, store);
}

}  // namespace vitrum::cuda
