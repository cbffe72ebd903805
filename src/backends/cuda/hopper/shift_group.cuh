// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../kernels/elan/brain_pairs.cuh"
#include "../kernels/scaled_halves.cuh"
#include "shift_shared.cuh"

// ELAN's local feature extraction. A warpgroup has 8 × 8 pixels, the rows of its products, and in shared memory the
// shifted x of the 10 × 10 pixels around: where a hidden channel is read at a neighbour, it is computed there, from
// rows that begin one pixel further on. Between the two products the hidden channels stay in registers. Weights come
// through rings, or stay where all of them fit.

namespace vitrum::cuda::hopper {

/// One computing warpgroup.
template <class W, class L>
class ShiftGroup {
public:
    using Operand = std::conditional_t<W::kParts == 2, Bf16, Fp16>;

    __device__ ShiftGroup(ShiftArguments const& a, std::byte* shared, typename L::First first,
                          typename L::Second second, int group)
        : a_(a),
          first_(first),
          second_(second),
          group_(group),
          tile_(shared + L::kTiles + group * L::kTileBytes),
          largest_(reinterpret_cast<float*>(shared + L::kLargest) + 4 * group),
          biases_(reinterpret_cast<float const*>(shared + L::kBiases)),
          unscale1_(*reinterpret_cast<float const*>(a.fc1 + W::kChunks * W::kFirstBytes)),
          unscale2_(*reinterpret_cast<float const*>(a.fc2 + W::kChunks * W::kSecondBytes)) {}

    __device__ void run(TilePlace const& at, bool exists) {
        at_ = at;
        load_tile();
        if (L::First::kStay) item_ = 0;
        hidden_scale_ = 0;
        begin_hidden(0);
        finish_hidden();
#pragma unroll(L::First::kStay ? W::kChunks - 1 : 1)
        for (int chunk = 0; chunk < W::kChunks - 1; ++chunk, ++item_) multiply_both(chunk);
        finish(exists);
        ++item_;
    }

private:
    /// A chunk's second product, and behind it the next one's first, beside which the second one's next weight comes.
    __device__ void multiply_both(int chunk) {
        activate(chunk);
        second_.wait_full(item_);
        first_.wait_full(item_ + 1);
        fence_products();
        begin_results(chunk > 0);
        commit_products();
        issue_hidden(chunk + 1, item_ + 1);
        commit_products();
        wait_for_products<1>();
        second_.release(item_, lane_);
        wait_for_products<0>();
        settle(hidden_);
        settle(sums_);
        settle(operand_);
        first_.release(item_ + 1, lane_);
    }
    /// The last chunk's second product, beside which the first residuals are on their way.
    __device__ void finish(bool exists) {
        activate(W::kChunks - 1);
        Pair const to = pair(exists);
        float4 added[kBatches][kQuads];
#pragma unroll
        for (int batch = 0; batch < kAhead; ++batch) load_residual(to, batch, added[batch]);
        second_.wait_full(item_);
        fence_products();
        begin_results(true);
        commit_products();
        wait_for_products<0>();
        settle(sums_);
        settle(operand_);
        second_.release(item_, lane_);
#pragma unroll
        for (int batch = 0; batch < kBatches; ++batch) {
            if (batch + kAhead < kBatches) load_residual(to, batch + kAhead, added[batch + kAhead]);
            store(to, batch, added[batch]);
        }
    }

    // ---- The shifted x. A thread has four channels of every eighth pixel.

    [[nodiscard]] static __device__ int down_of(int neighbour) {
        return neighbour == 2 ? 1 : neighbour == 3 ? -1 : 0;
    }
    [[nodiscard]] static __device__ int right_of(int neighbour) {
        return neighbour == 0 ? 1 : neighbour == 1 ? -1 : 0;
    }
    __device__ void await_group() const {
        named_barrier(1 + group_, kGroup);
    }

    __device__ void load_tile() {
        scale_ = W::kParts == 2 ? 1.0F : 8.0F;
        for (bool is_again = false;; is_again = true) {
            float const largest = convert(scale_);
            bool const fits = largest * scale_ < kHalfRange && largest * scale_ >= 0.5F;
            if (W::kParts == 2 || fits || largest == 0 || is_again) break;
            scale_ = power_of_two_below(largest, 11);
        }
        // Nothing of the tile before is waited for in registers that loads may have.
#pragma unroll
        for (float& v : hidden_) v = 0;
#pragma unroll
        for (float& v : sums_) v = 0;
#pragma unroll
        for (std::uint32_t& v : operand_) v = 0;
    }
    /// Returns the largest value of the tile, where operands are scaled.
    __device__ float convert(float scale) const {
        constexpr int kSlices = W::kDepth / 64;
        float largest = 0;
        Slice quads[2];
        fetch(0, quads[0]);
#pragma unroll
        for (int slice = 0; slice < kSlices; ++slice) {
            if (slice + 1 < kSlices) fetch(slice + 1, quads[(slice + 1) % 2]);
            if (slice == 0) await_group();  // the tile before has been multiplied
            largest = fmaxf(largest, put(slice, quads[slice % 2], scale));
        }
        if constexpr (W::kParts == 1) {
            largest = warp_max(largest);
            if (lane_.first()) largest_[lane_.warp] = largest;
        }
        fence_shared();
        await_group();
        if constexpr (W::kParts == 2) return 0;
        return fmaxf(fmaxf(largest_[0], largest_[1]), fmaxf(largest_[2], largest_[3]));
    }

    static constexpr int kStep = kGroup / 16, kTurns = (ShiftTile::kPixels + kStep - 1) / kStep;
    /// Four channels of every eighth pixel; sixteen threads have 64 channels.
    using Slice = float4[kTurns];

    /// visit(turn, row and column of the picture) for the places that a thread's quad of a slice comes from.
    template <class Visit>
    __device__ void for_each_turn(int slice, Visit const& visit) const {
        int const neighbour = min(4, 4 * quad_of(slice) / W::kGroup);
        int const first_row = at_.row - 1 + down_of(neighbour), first_column = at_.column - 1 + right_of(neighbour);
        int row = 0, column = thread() / 16;
#pragma unroll
        for (int i = 0; i < kTurns; ++i) {
            visit(i, first_row + row, first_column + column);
            column += kStep;
            if (column >= ShiftTile::kSide) column -= ShiftTile::kSide, ++row;
        }
    }
    [[nodiscard]] static __device__ int thread() {
        return static_cast<int>(threadIdx.x) % kGroup;
    }
    [[nodiscard]] static __device__ int quad_of(int slice) {
        return 16 * slice + thread() % 16;
    }

    /// Beyond the picture that of its pixels which is nearest: conditions would make each load wait for the one before.
    __device__ void fetch(int slice, Slice& to) const {
        float const* const first = a_.x.at(at_.first) + min(4 * quad_of(slice), W::kChannels - 4);
        auto const* const picture = reinterpret_cast<std::byte const*>(first);  // one instruction an address
        int const pixel_bytes = static_cast<int>(a_.x.stride) * 4;
        for_each_turn(slice, [&](int i, int row, int column) {
            int const r = max(0, min(row, at_.h - 1)), c = max(0, min(column, at_.w - 1));
            std::int64_t const distance = static_cast<std::int64_t>(r * at_.w + c) * pixel_bytes;
            to[i] = *reinterpret_cast<float4 const*>(picture + distance);
        });
    }
    /// Returns the largest value.
    __device__ float put(int slice, Slice const& from, float scale) const {
        float largest = 0;
        int const quad = quad_of(slice);
        for_each_turn(slice, [&](int i, int row, int column) {
            int const pixel = thread() / 16 + i * kStep;
            if (pixel >= ShiftTile::kPixels) return;
            bool const exists = at_.contains(row, column) && 4 * quad < W::kChannels;
            float4 const v = each(from[i], [&](float x, int) { return exists ? x : 0.0F; });
            largest = fmaxf(largest, largest_of(v));
            put(quad / 2 * ShiftTile::kPlane + pixel * 16 + quad % 2 * 8, v, scale);
        });
        return largest;
    }
    __device__ void put(int at, float4 v, float scale) const {
        if constexpr (W::kParts == 2) {
            BrainPair const a(v.x, v.y), b(v.z, v.w);
            *reinterpret_cast<uint2*>(tile_ + at) = make_uint2(a.high, b.high);
            *reinterpret_cast<uint2*>(tile_ + L::kPartBytes + at) = make_uint2(a.low, b.low);
        } else {
            *reinterpret_cast<uint2*>(tile_ + at) =
                make_uint2(Fp16::pack(v.x * scale, v.y * scale), Fp16::pack(v.z * scale, v.w * scale));
        }
    }

    // ---- The first product

    [[nodiscard]] static __device__ constexpr int neighbours_of(int chunk) {
        return 5 - chunk * W::kNeighbours < W::kNeighbours ? 5 - chunk * W::kNeighbours : W::kNeighbours;
    }
    __device__ void begin_hidden(int chunk) {
        first_.wait_full(item_);
        fence_products();
        issue_hidden(chunk, item_);
        commit_products();
    }
    __device__ void finish_hidden() {
        wait_for_products<0>();
        settle(hidden_);
        first_.release(item_, lane_);
    }
    __device__ void issue_hidden(int chunk, int item) {
#pragma unroll
        for (int n = 0; n < W::kNeighbours; ++n) {
            if (n >= neighbours_of(chunk)) continue;
            int const neighbour = chunk * W::kNeighbours + n;
            int const pixel = (1 + down_of(neighbour)) * ShiftTile::kSide + 1 + right_of(neighbour);
            std::uint32_t const x = shared_address(tile_) + pixel * 16,
                                weights = first_.slot(item) + n * W::kParts * W::kFirstHalves * 2;
            auto& sums = *reinterpret_cast<float(*)[W::kOwn / 2]>(hidden_ + n * (W::kOwn / 2));
            if constexpr (W::kParts == 2) {  // the smallest products first
                multiply(sums, x + L::kPartBytes, weights, false);
                multiply(sums, x, weights + W::kFirstHalves * 2, true);
            }
            multiply(sums, x, weights, W::kParts == 2);
        }
    }
    __device__ static void multiply(float (&sums)[W::kOwn / 2], std::uint32_t x, std::uint32_t weights, bool add) {
        std::uint64_t const left = matrix_descriptor(x, ShiftTile::kPlane, ShiftTile::kSide * 16),
                            right = matrix_descriptor(weights, W::kOwn * 16);
#pragma unroll
        for (int k = 0; k < W::kDepth / 16; ++k) {
            begin_product<W::kOwn, Operand>(sums, further(left, 2 * k * ShiftTile::kPlane),
                                            further(right, 2 * k * W::kOwn * 16), add || k > 0);
        }
    }

    // ---- Hidden channels to operands

    __device__ void activate(int chunk) {
        float largest[4] = {};  // so that they do not wait for each other
        float const unscale = unscale1_ / scale_;
#pragma unroll
        for (int n = 0; n < W::kNeighbours; ++n) {
            if (n >= neighbours_of(chunk)) continue;
            int const neighbour = chunk * W::kNeighbours + n;
            float const* const bias = biases_ + neighbour * W::kOwn + 2 * lane_.quad;
            bool is_inside[2];
#pragma unroll
            for (int r = 0; r < 2; ++r) is_inside[r] = contains(r, down_of(neighbour), right_of(neighbour));
#pragma unroll
            for (int j = 0; j < W::kOwn / 8; ++j) {
                float2 const b = *reinterpret_cast<float2 const*>(bias + 8 * j);
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    float& v = hidden_[n * (W::kOwn / 2) + 4 * j + i];
                    float const own = i % 2 == 0 ? b.x : b.y;
                    v = W::kParts == 2 ? v + own : fmaf(v, unscale, own);
                    v = v < 0 || !is_inside[i / 2] ? 0.0F : v;  // keeps NaN
                    if (W::kParts == 1) largest[i] = fmaxf(largest[i], v);
                }
            }
        }
        if constexpr (W::kParts == 1) {
            float const most = fmaxf(fmaxf(largest[0], largest[1]), fmaxf(largest[2], largest[3]));
            fit_scale(hidden_scale_, most, [&](float factor) {
                if (chunk == 0) return;
#pragma unroll
                for (float& sum : sums_) sum *= factor;
            });
        }
        make_operand(neighbours_of(chunk) * W::kOwn / 8);
    }
    [[nodiscard]] __device__ bool contains(int r, int down, int right) const {
        return at_.contains(at_.row + 2 * lane_.warp + r + down, at_.column + lane_.row + right);
    }
    __device__ void make_operand(int tiles) {
#pragma unroll
        for (int i = 0; i < W::kHiddenDepth / 4; ++i) {  // a tile of eight channels, upper or lower row
            if (i / 2 >= tiles) {
                operand_[i] = 0;
                if constexpr (W::kParts == 2) operand_[kOperand + i] = 0;
                continue;
            }
            float const a = hidden_[2 * i], b = hidden_[2 * i + 1];
            if constexpr (W::kParts == 2) {
                BrainPair const pair(a, b);
                operand_[i] = pair.high, operand_[kOperand + i] = pair.low;
            } else {
                operand_[i] = Fp16::pack(a * hidden_scale_, b * hidden_scale_);
            }
        }
    }

    // ---- The second product

    __device__ void begin_results(bool add) {
        std::uint32_t const weights = second_.slot(item_);
        if constexpr (W::kParts == 2) {
            multiply(operand_ + kOperand, weights, add);
            multiply(operand_, weights + W::kSecondHalves * 2, true);
        }
        multiply(operand_, weights, add || W::kParts == 2);
    }
    __device__ void multiply(std::uint32_t const* left, std::uint32_t weights, bool add) {
        begin_products<W::kColumns, W::kHiddenDepth / 16, W::kColumns, Operand>(sums_, left, weights, add);
    }

    // ---- Results in batches of 64 channels. Quad 2 k + r of a lane: channels 16 k + 4 · quad … of row r.

    static constexpr int kQuads = 8, kBatches = W::kColumns / 64;
    static constexpr int kAhead = W::kParts == 2 ? 0 : 2;  ///< batches of residuals that come beside the last product

    /// The lane's two pixels, from its first channel on; of one beyond the picture the first pixel's residual is read.
    struct Pair {
        float const* residual[2];
        float* y[2];
        bool exists[2];
    };
    [[nodiscard]] __device__ Pair pair(bool exists) const {
        Pair pair;
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            pair.exists[r] = exists && contains(r, 0, 0);
            std::int64_t const pixel =
                pair.exists[r] ? at_.pixel(at_.row + 2 * lane_.warp + r, at_.column + lane_.row) : at_.first;
            pair.residual[r] = a_.residual.data == nullptr ? nullptr : a_.residual.at(pixel) + 4 * lane_.quad;
            pair.y[r] = a_.y.at(pixel) + 4 * lane_.quad;
        }
        return pair;
    }
    /// Of quads of 16 channels; the last ones are fewer.
    [[nodiscard]] __device__ bool has(int channel) const {
        return channel + 16 <= W::kChannels || channel + 4 * lane_.quad < W::kChannels;
    }
    /// The residual may lie where y does: what a thread stores it has read before.
    __device__ void load_residual(Pair const& pair, int batch, float4 (&added)[kQuads]) const {
#pragma unroll
        for (int i = 0; i < kQuads; ++i) {
            int const channel = 64 * batch + 16 * (i / 2);
            float const* const from = pair.residual[i % 2];
            if (from == nullptr) added[i] = make_float4(0, 0, 0, 0);
            else added[i] = *reinterpret_cast<float4 const*>(from + (has(channel) ? channel : 0));
        }
    }
    __device__ void store(Pair const& pair, int batch, float4 const (&added)[kQuads]) const {
        float const f = W::kParts == 2 ? 1.0F : unscale2_ / hidden_scale_;
#pragma unroll
        for (int i = 0; i < kQuads; ++i) {
            int const channel = 64 * batch + 16 * (i / 2);
            float const* const s = sums_ + channel / 2 + 2 * (i % 2);
            float4 const sum = make_float4(s[0], s[1], s[4], s[5]);
            if (!pair.exists[i % 2] || !has(channel)) continue;
            float4 const bias = *reinterpret_cast<float4 const*>(biases_ + W::kHidden + channel + 4 * lane_.quad);
            *reinterpret_cast<float4*>(pair.y[i % 2] + channel) =
                multiply_add(sum, make_float4(f, f, f, f), bias) + added[i];
        }
    }

    static constexpr int kOperand = W::kHiddenDepth / 4;  ///< registers of a part

    ShiftArguments const& a_;
    typename L::First first_;
    typename L::Second second_;
    int group_, item_ = 0;
    std::byte* tile_;
    float* largest_;
    float const* biases_;
    float unscale1_, unscale2_, scale_ = 1, hidden_scale_ = 0;
    Lane lane_;
    TilePlace at_;
    float hidden_[W::kNeighbours * W::kOwn / 2];
    float sums_[W::kColumns / 2];
    std::uint32_t operand_[W::kParts * kOperand];
};

}  // namespace vitrum::cuda::hopper
