// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "resident_rows.cuh"

// Two products of rows, one behind the other: a warpgroup has 64 rows and keeps what lies between the products in
// registers, a chunk of 128 at a time, which never pass through memory.

namespace vitrum::cuda::hopper {

struct ResidentPair {
    RowSource source;
    std::byte const *first, *second;  ///< packed
    SwinWeightInfo const* first_info;
    float const* first_bias;  ///< in whole chunks
    int chunks;               ///< of kProductColumns of what lies between
    Activation activation;
};

/// A computing warpgroup.
template <class T>
struct PairGroup {
    using Sums = float[kProductColumns / 2];
    using Hidden = std::uint32_t[kProductColumns / 4];
    static constexpr int kBlocks = 2;  ///< of columns of the second product
    static constexpr int kHiddenStages = kProductColumns / kProductStage, kSecondPieces = kHiddenStages * kBlocks;

    ResidentPair const& p;
    ResidentMemory<T> memory;
    int group;
    Lane lane;
    int item = 0;
    float units[2] = {}, factors[2] = {};  ///< of the lane's two rows

    __device__ void use(PairOfScales const& scales) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            units[half] = p.first_info->unit / scales.of[half].operands, factors[half] = scales.of[half].hidden;
        }
    }
    /// Of a chunk.
    __device__ void multiply_first(Sums& sums) {
        fence_products();
#pragma unroll
        for (int i = 0; i < T::kStages; ++i) {
            memory.wait_for(item + i);
            memory.multiply(sums, group, i, item + i, i == 0);
        }
        finish(sums, T::kStages);
    }
    /// Sums of two neighbours in depth lie in a lane as the next product's left operand wants them.
    template <Activation activation>
    __device__ void activate(Sums const& sums, int chunk, Hidden& hidden) const {
        float const* const bias = p.first_bias + chunk * kProductColumns + 2 * lane.quad;
#pragma unroll
        for (int i = 0; i < kProductColumns / 4; ++i) {
            float2 const b = *reinterpret_cast<float2 const*>(bias + i / 2 * 8);
            hidden[i] =
                Fp16::pack(activated_operand(activation, fmaf(sums[2 * i], units[i % 2], b.x), factors[i % 2]),
                           activated_operand(activation, fmaf(sums[2 * i + 1], units[i % 2], b.y), factors[i % 2]));
        }
    }
    /// Adds the chunk.
    __device__ void multiply_second(Sums (&to)[kBlocks], Hidden& hidden) {
        fence_products();
#pragma unroll
        for (int i = 0; i < kSecondPieces; ++i) {
            memory.wait_for(item + i);
#pragma unroll
            for (int k = 0; k < T::kSteps; ++k) {
                std::uint32_t const b = memory.piece(item + i) + k * (kProductColumns * 32);
                begin_product<kProductColumns>(to[i % kBlocks], hidden + 4 * (i / kBlocks * T::kSteps + k),
                                               matrix_descriptor(b, 128, 256), 1);
            }
        }
        finish(hidden, kSecondPieces);
#pragma unroll
        for (Sums& sums : to) settle(sums);
    }

private:
    template <class Registers>
    __device__ void finish(Registers& registers, int pieces) {
        commit_products();
        wait_for_products<0>();
        settle(registers);
        for (int i = 0; i < pieces; ++i, ++item) memory.release(item, lane);
    }
};

/// Weights in the order in which a chunk of both products takes them.
template <class T>
__device__ void bring_pair(ResidentPair const& p, ResidentMemory<T> const& memory) {
    constexpr int kBlocks = PairGroup<T>::kBlocks, kHiddenStages = PairGroup<T>::kHiddenStages;
    constexpr int kOfChunk = T::kStages + PairGroup<T>::kSecondPieces;
    memory.bring(p.chunks * kOfChunk, [&](int i) {
        int const chunk = i / kOfChunk, within = i % kOfChunk, second = within - T::kStages;
        if (second < 0) return p.first + (chunk * T::kStages + within) * T::kPieceBytes;
        int const stage = chunk * kHiddenStages + second / kBlocks;
        return p.second + (second % kBlocks * p.chunks * kHiddenStages + stage) * T::kPieceBytes;
    });
}

template <class T, class Outlet>
__global__ void __launch_bounds__(T::kThreads, 1)
    pair_kernel(__grid_constant__ ResidentPair const p, __grid_constant__ Outlet const out) {
    auto& bytes = dynamic_shared<std::byte[T::kBytes]>();
    ResidentMemory<T> const memory{bytes};
    let_next_start();
    if (threadIdx.x == 0) memory.init();
    __syncthreads();
    int const group = __shfl_sync(0xFFFFFFFFU, static_cast<int>(threadIdx.x) / kGroup, 0);
    if (group == T::kGroups) {
        give_registers<kCopyRegisters>();
        if (threadIdx.x % kGroup == 0) bring_pair(p, memory);
        return;
    }
    take_registers<compute_registers(T::kGroups)>();
    std::int64_t const first_row = (static_cast<std::int64_t>(blockIdx.x) * T::kGroups + group) * kProductRows;
    PairGroup<T> own{p, memory, group, {}};
    await_previous();
    memory.load(p.source, group, first_row, own.lane);
    own.use(memory.scales_of(group, own.lane));
    float to[PairGroup<T>::kBlocks][kProductColumns / 2] = {};
#pragma unroll 1
    for (int chunk = 0; chunk < p.chunks; ++chunk) {
        float sums[kProductColumns / 2];
        std::uint32_t hidden[kProductColumns / 4];
        own.multiply_first(sums);
        if (p.activation == Activation::gelu) own.template activate<Activation::gelu>(sums, chunk, hidden);
        else if (p.activation == Activation::none) own.template activate<Activation::none>(sums, chunk, hidden);
        else own.template activate<Activation::leaky_relu>(sums, chunk, hidden);
        own.multiply_second(to, hidden);
    }
    PairOfScales const scales = memory.scales_of(group, own.lane);
#pragma unroll
    for (int b = 0; b < PairGroup<T>::kBlocks; ++b) out.store(to[b], scales, first_row, b * kProductColumns, own.lane);
}

/// Whether there is code for such rows, and there are enough of them for the multiprocessors of a large GPU.
[[nodiscard]] inline bool is_pair(std::int64_t rows, std::int64_t channels, std::int64_t hidden) {
    constexpr std::int64_t kEnough = 96;  // tiles
    return channels > kProductColumns && channels <= 2 * kProductColumns && hidden % kProductColumns == 0 &&
           divide_up(rows, 2 * kProductRows) >= kEnough;
}

template <class Outlet>
void multiply_pair(void* stream, ResidentPair const& p, Outlet const& out) {
    auto const run = [&]<int kStages>() {
        using T = ResidentTile<kStages * kProductStage>;
        start_shared<Start::early>(stream, pair_kernel<T, Outlet>, divide_up(p.source.rows, T::kRows), T::kThreads,
                                   T::kBytes, p, out);
    };
    if (divide_up(p.source.channels, kProductStage) == 3) run.template operator()<3>();
    else run.template operator()<4>();
}

}  // namespace vitrum::cuda::hopper
