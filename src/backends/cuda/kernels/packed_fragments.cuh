// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <ptx/tensor_core.cuh>

#include "device.cuh"

// Products of a warp by blocks of 16 × 16 operands of 16 bits, or in TF32. A warp's lane 4 g + t holds of each block
//     rows g and g + 8, columns 2 t and 2 t + 1, and the same of the columns 8 … 15,
// which is how tensor cores want the left operand, and, rows being its columns, the right one: a · bᵀ needs no move.
// Sums lie alike, so that the result of one product becomes an operand of the next by rounding alone. (An instruction
// for TF32 takes columns t and t + 4 of eight. That they are called 2 t and 2 t + 1 in both operands changes no sum.)

namespace vitrum::cuda {

constexpr int kWarp = 32;
constexpr std::uintptr_t kAnyAddress = 256;  // where only sizes matter

/// What a lane reads at once. In memory a block is 32 of them, lane after lane, for each of an operand's steps.
struct alignas(16) Words {
    std::uint32_t of[4];
};

/// float32 itself, which three products in TF32 multiply (see multiply).
struct Tf32Pair {
    static constexpr Precision kPrecision = Precision::fp32;
    static constexpr int kPerRegister = 1;
    [[nodiscard]] __device__ static std::uint32_t pack(float value) { return std::bit_cast<std::uint32_t>(value); }
};

/// A lane's part of a block of operands, for each instruction along its columns: rows g and g + 8 of the columns that
/// its first four registers hold, then of the others.
template <class Operand>
struct Fragment {
    static constexpr int kSteps = 2 / Operand::kPerRegister;
    static constexpr int kBlock = kSteps * kWarp;  ///< words of a block in memory
    Words steps[kSteps];

    [[nodiscard]] __device__ static Fragment load(Words const* blocks, int index, int lane) {
        Fragment result;
#pragma unroll
        for (int i = 0; i < kSteps; ++i) result.steps[i] = blocks[(index * kSteps + i) * kWarp + lane];
        return result;
    }
    __device__ void store(Words* blocks, int index, int lane) const {
#pragma unroll
        for (int i = 0; i < kSteps; ++i) blocks[(index * kSteps + i) * kWarp + lane] = steps[i];
    }
};

/// A lane's part of 16 × 16 sums: columns 0 … 7 and 8 … 15, in each row g, columns 2 t and 2 t + 1, then row g + 8.
struct SumTile {
    float of[2][4];
};

/// sums += a · bᵀ
template <class Operand>
__device__ void multiply(SumTile& sums, Fragment<Operand> const& a, Fragment<Operand> const& b) {
#pragma unroll
    for (int i = 0; i < Fragment<Operand>::kSteps; ++i) {
        multiply_add<Operand>(sums.of[0], a.steps[i].of, {b.steps[i].of[0], b.steps[i].of[2]});
        multiply_add<Operand>(sums.of[1], a.steps[i].of, {b.steps[i].of[1], b.steps[i].of[3]});
    }
}

/// The sum of two TF32 operands, made where it is multiplied.
struct Tf32Parts {
    std::uint32_t high[4], low[4];

    __device__ explicit Tf32Parts(Words const& of) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            auto const value = std::bit_cast<float>(of.of[i]);
            high[i] = Tf32::pack(value);
            low[i] = Tf32::pack(value - Tf32::unpack(high[i]));
        }
    }
};

/// What is left out, low · low, is 2^-22 of a product. Tensor cores cut sums off instead of rounding them, which long
/// sums do not bear: a block's is added as float32.
template <>
__device__ inline void multiply<Tf32Pair>(SumTile& sums, Fragment<Tf32Pair> const& a, Fragment<Tf32Pair> const& b) {
    SumTile block{};
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        Tf32Parts const left(a.steps[i]), right(b.steps[i]);
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            multiply_add<Tf32>(block.of[half], left.low, {right.high[half], right.high[half + 2]});
            multiply_add<Tf32>(block.of[half], left.high, {right.low[half], right.low[half + 2]});
            multiply_add<Tf32>(block.of[half], left.high, {right.high[half], right.high[half + 2]});
        }
    }
#pragma unroll
    for (int i = 0; i < 8; ++i) sums.of[i / 4][i % 4] += block.of[i / 4][i % 4];
}

template <class Operand>
[[nodiscard]] __device__ Fragment<Operand> rounded(SumTile const& v) {
    Fragment<Operand> result;
    if constexpr (Operand::kPerRegister == 2) {
        result.steps[0] = {{Operand::pack(v.of[0][0], v.of[0][1]), Operand::pack(v.of[0][2], v.of[0][3]),
                            Operand::pack(v.of[1][0], v.of[1][1]), Operand::pack(v.of[1][2], v.of[1][3])}};
    } else {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            result.steps[i] = {{Operand::pack(v.of[i][0]), Operand::pack(v.of[i][2]), Operand::pack(v.of[i][1]),
                                Operand::pack(v.of[i][3])}};
        }
    }
    return result;
}

/// f(value, row, column) for each: row 0 is g, row 1 is g + 8; columns 2 t + (0, 1, 8, 9) count from 0 to 3.
template <class F>
__device__ void each(SumTile& v, F const& f) {
#pragma unroll
    for (int i = 0; i < 8; ++i) v.of[i / 4][i % 4] = f(v.of[i / 4][i % 4], i % 4 / 2, i / 4 * 2 + i % 2);
}

/// The same number in each row: columns 2 t, 2 t + 1, 2 t + 8, 2 t + 9 of `row`.
[[nodiscard]] __device__ inline SumTile tile_of_columns(float const* row, int t) {
    float2 const low = *reinterpret_cast<float2 const*>(row + 2 * t);
    float2 const high = *reinterpret_cast<float2 const*>(row + 2 * t + 8);
    return {{{low.x, low.y, low.x, low.y}, {high.x, high.y, high.x, high.y}}};
}

// ---- Sixteen rows of pixels. Blocks of 16 channels have their columns in the order of channel_at(), so that a lane's
// four numbers of a row are neighbours.

/// A lane's two rows; null: no pixel, zeros.
struct PixelRows {
    float* of[2];
};

[[nodiscard]] __device__ inline float4 quad_of(SumTile const& v, int row) {
    return make_float4(v.of[0][2 * row], v.of[0][2 * row + 1], v.of[1][2 * row], v.of[1][2 * row + 1]);
}
__device__ inline void set_quad(SumTile& v, int row, float4 quad) {
    v.of[0][2 * row] = quad.x;
    v.of[0][2 * row + 1] = quad.y;
    v.of[1][2 * row] = quad.z;
    v.of[1][2 * row + 1] = quad.w;
}

/// Channels from 16 · first on, zeros behind the last.
template <int kBlocks>
__device__ void load_pixels(PixelRows const& from, int first, int channels, bool vector, int t,
                            SumTile (&to)[kBlocks]) {
    auto const load = [&](bool is_vector) {
#pragma unroll
        for (int i = 0; i < kBlocks; ++i) {
            int const channel = 16 * (first + i) + 4 * t;
#pragma unroll
            for (int row = 0; row < 2; ++row) {
                int const count = from.of[row] == nullptr ? 0 : channels - channel;
                set_quad(to[i], row, load4(from.of[row] + channel, count, is_vector));
            }
        }
    };
    if (vector) load(true);
    else load(false);
}

template <int kBlocks>
__device__ void store_pixels(PixelRows const& to, int first, int channels, bool vector, int t,
                             SumTile const (&from)[kBlocks]) {
    auto const store = [&](bool is_vector) {
#pragma unroll
        for (int i = 0; i < kBlocks; ++i) {
            int const channel = 16 * (first + i) + 4 * t;
#pragma unroll
            for (int row = 0; row < 2; ++row) {
                if (to.of[row] == nullptr || channel >= channels) continue;
                store4(to.of[row] + channel, quad_of(from[i], row), channels - channel, is_vector);
            }
        }
    };
    if (vector) store(true);
    else store(false);
}

/// A number per channel, from shared memory, zeros behind the last.
__device__ inline void add_channels(SumTile& v, float const* numbers, int block, int t) {
    float4 const added = *reinterpret_cast<float4 const*>(numbers + 16 * block + 4 * t);
#pragma unroll
    for (int row = 0; row < 2; ++row) set_quad(v, row, quad_of(v, row) + added);
}

/// Sum over the four lanes that share a row.
[[nodiscard]] __device__ inline float row_sum(float value) {
    value += __shfl_xor_sync(0xFFFFFFFFU, value, 1);
    return value + __shfl_xor_sync(0xFFFFFFFFU, value, 2);
}
[[nodiscard]] __device__ inline float row_max(float value) {
    value = fmaxf(value, __shfl_xor_sync(0xFFFFFFFFU, value, 1));
    return fmaxf(value, __shfl_xor_sync(0xFFFFFFFFU, value, 2));
}

/// Mean and 1 / sqrt(variance + epsilon) of a lane's two rows, the variance around the mean.
struct RowMoments {
    float mean[2], factor[2];

    template <int kBlocks>
    __device__ RowMoments(SumTile const (&x)[kBlocks], int channels, float epsilon, int t) {
#pragma unroll
        for (int row = 0; row < 2; ++row) {
            float sum = 0;
#pragma unroll
            for (int block = 0; block < kBlocks; ++block) {
                float4 const v = quad_of(x[block], row);
                sum += (v.x + v.y) + (v.z + v.w);
            }
            mean[row] = row_sum(sum) / static_cast<float>(channels);
            float squares = 0;
#pragma unroll
            for (int block = 0; block < kBlocks; ++block) {
                int const count = channels - 16 * block - 4 * t;
                float4 const d =
                    each(quad_of(x[block], row), [&](float v, int i) { return i < count ? v - mean[row] : 0.0F; });
                squares += (d.x * d.x + d.y * d.y) + (d.z * d.z + d.w * d.w);
            }
            factor[row] = 1.0F / sqrtf(row_sum(squares) / static_cast<float>(channels) + epsilon);
        }
    }
};

/// LayerNorm's weight and bias in shared memory, zeros behind the last channel.
struct ChannelNorm {
    float const *weight, *bias;
};

/// put(block, operands) for each block. Rows without a pixel stay zero, also behind the norm.
template <class Operand, int kBlocks, class Put>
__device__ void normalise(SumTile const (&x)[kBlocks], PixelRows const& rows, ChannelNorm const& norm, int channels,
                          float epsilon, int t, Put const& put) {
    RowMoments const moments(x, channels, epsilon, t);
#pragma unroll
    for (int block = 0; block < kBlocks; ++block) {
        float4 const weight = *reinterpret_cast<float4 const*>(norm.weight + 16 * block + 4 * t);
        float4 const bias = *reinterpret_cast<float4 const*>(norm.bias + 16 * block + 4 * t);
        SumTile v;
#pragma unroll
        for (int row = 0; row < 2; ++row) {
            float const mean = moments.mean[row], factor = rows.of[row] == nullptr ? 0.0F : moments.factor[row];
            float const added = rows.of[row] == nullptr ? 0.0F : 1.0F;
            float4 const q = quad_of(x[block], row);
            set_quad(v, row,
                     make_float4((q.x - mean) * factor * weight.x + added * bias.x,
                                 (q.y - mean) * factor * weight.y + added * bias.y,
                                 (q.z - mean) * factor * weight.z + added * bias.z,
                                 (q.w - mean) * factor * weight.w + added * bias.w));
        }
        put(block, rounded<Operand>(v));
    }
}

// ---- Weights on their way from device to shared memory, in portions that all warps of a thread block use at the same
// time, again and again in the same order. `Source` has `int count`, the number of portions, and fetch(int portion,
// Words* to), which every thread calls.

template <int kThreads>
__device__ void copy_words_async(Words* to, Words const* from, int count) {
#pragma unroll 1
    for (int i = static_cast<int>(threadIdx.x); i < count; i += kThreads) copy_async(to + i, from + i);
}

/// A ring of `kStages` portions; 0: all of them have room, and stay.
template <int kStages, class Source>
class Weights {
public:
    /// `slot`: room for the largest portion. `rounds`: how often all portions are used.
    __device__ Weights(Source const& source, Words* ring, int slot, int rounds)
        : source_(source), ring_(ring), slot_(slot), left_(rounds * source.count) {
        for (int i = 0; i < kStages - 1; ++i) fetch();
    }

    /// The next portion; that before it is no longer there. A barrier for all threads.
    [[nodiscard]] __device__ Words const* next() {
        wait_for_copies<kStages - 2>();
        __syncthreads();
        Words const* const portion = ring_ + read_ * slot_;
        read_ = read_ + 1 == kStages ? 0 : read_ + 1;
        fetch();
        return portion;
    }

private:
    __device__ void fetch() {
        if (left_ > 0) {
            source_.fetch(portion_, ring_ + write_ * slot_);
            portion_ = portion_ + 1 == source_.count ? 0 : portion_ + 1;
            write_ = write_ + 1 == kStages ? 0 : write_ + 1;
            --left_;
        }
        commit_copies();
    }

    Source source_;
    Words* ring_;
    int slot_, left_;
    int portion_ = 0, write_ = 0, read_ = 0;
};

template <class Source>
class Weights<0, Source> {
public:
    __device__ Weights(Source const& source, Words* room, int slot, int)
        : room_(room), slot_(slot), count_(source.count) {
        for (int i = 0; i < source.count; ++i) source.fetch(i, room + i * slot);
        commit_copies();
        wait_for_copies<0>();
    }

    [[nodiscard]] __device__ Words const* next() {
        __syncthreads();
        Words const* const portion = room_ + portion_ * slot_;
        portion_ = portion_ + 1 == count_ ? 0 : portion_ + 1;
        return portion;
    }

private:
    Words* room_;
    int slot_, count_;
    int portion_ = 0;
};

/// `count` floats behind the last of which zeros follow up to `padded`.
__device__ inline void copy_padded(float* to, float const* from, int count, int padded) {
    for (int i = static_cast<int>(threadIdx.x); i < padded; i += static_cast<int>(blockDim.x)) {
        to[i] = i < count && from != nullptr ? from[i] : 0.0F;
    }
}

/// Blocks of a kernel that the device runs at the same time.
template <class Kernel>
[[nodiscard]] std::int64_t blocks_at_once(Kernel* kernel, int threads, std::size_t shared_bytes) {
    int per_processor = 0;
    cudaError_t status = allow_shared(reinterpret_cast<void const*>(kernel), shared_bytes);
    if (status == cudaSuccess) {
        status = cudaOccupancyMaxActiveBlocksPerMultiprocessor(&per_processor, kernel, threads, shared_bytes);
    }
    if (status != cudaSuccess) fail("the GPU refused a kernel: {}", cudaGetErrorString(status));
    return std::max<std::int64_t>(1, std::int64_t{device_attribute(cudaDevAttrMultiProcessorCount)} * per_processor);
}

}  // namespace vitrum::cuda
