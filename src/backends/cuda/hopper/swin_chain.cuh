// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "swin_attention.cuh"
#include "swin_feedforward.cuh"

// Swin layers in one launch, each of which writes where the one before it wrote: a window's tokens are read by the
// window alone that writes there next, so that nothing is overwritten that others still need.
//
// Blocks take tickets, of one or two windows of a layer, in one order for all. A window waits for the windows of the
// layer before that it overlaps, which counters of rows of windows tell. They have smaller tickets, which were taken by
// blocks that run: so nothing waits for ever, whichever blocks find room beside other kernels.

namespace vitrum::cuda::hopper {

/// What a warpgroup does in a round of its block.
struct Turn {
    int layer;  ///< −1: nothing any more
    int tile;   ///< −1: none

    /// As a block is told of them: the first warpgroup's window, whether the second one has one, and the layer.
    static constexpr int kOver = -1, kMostTiles = 1 << 24;
    [[nodiscard]] __device__ static int told(int layer, int tile, bool has_second) {
        return layer * 2 * kMostTiles + (has_second ? kMostTiles : 0) + tile;
    }
    __device__ Turn(int told, int group)
        : layer(told < 0 ? -1 : told / (2 * kMostTiles)),
          tile(group == 0 || told / kMostTiles % 2 == 1 ? told % kMostTiles + group : -1) {}
    [[nodiscard]] __device__ static Turn none() { return Turn(kOver, 0); }
    [[nodiscard]] __device__ bool is_over() const { return layer < 0; }
    [[nodiscard]] __device__ bool has_tile() const { return layer >= 0 && tile >= 0; }
};

/// Which windows there are, and, in device memory, ChainWords: zeros at first. The layers go through one band of rows
/// after the other, so that a layer finds in the second-level cache what the one before it has written. Each ends a row
/// before the layer before it, since it needs the next row of that.
struct Chain {
    int layers, rows, across;  ///< rows of windows, of all pictures
    int each;                  ///< windows of a ticket
    int band, bands;           ///< rows of windows; the last band has all that are left
    int* words;

    Chain(WindowTiles const& tiles, int layers_, int multiprocessors, std::byte* workspace)
        : layers(layers_),
          rows(tiles.count / tiles.across),
          across(tiles.across),
          each(tiles.count <= multiprocessors ? 1 : 2),
          // Two rounds of tiles, since a block loads a tile while it computes the one before.
          band(static_cast<int>(divide_up(4 * multiprocessors, across))),
          bands(std::max(1, rows / band)),
          words(reinterpret_cast<int*>(workspace)) {}

    /// As many as have something to do at the same time.
    [[nodiscard]] int blocks(int multiprocessors) const {
        std::int64_t const windows = static_cast<std::int64_t>(rows) * across;
        return static_cast<int>(std::min<std::int64_t>(multiprocessors, divide_up(windows, each)));
    }
    [[nodiscard]] __device__ int* done(int layer, WindowTile const& tile, int row) const {
        return words + ChainWords::kFirstCounter + layer * rows + tile.picture * tile.tiles.down + row;
    }
    /// Whether the windows of the layer before, shifted by `before`, that the window overlaps are done.
    [[nodiscard]] __device__ bool is_ready(int layer, WindowTile const& tile, int before) const {
        if (layer == 0) return true;
        WindowTiles const& of = tile.tiles;
        int other = tile.row + (of.shift > before ? 1 : of.shift < before ? -1 : 0);
        if (other == of.down) other = 0;
        if (other < 0) other = of.down - 1;
        return load_acquired(done(layer - 1, tile, tile.row)) == of.across &&
               load_acquired(done(layer - 1, tile, other)) == of.across;
    }
};

/// Tickets become windows: by the thread that takes them, whose tickets grow.
class ChainOrder {
public:
    __device__ explicit ChainOrder(Chain const& chain) : chain_(chain) { find_end(); }
    /// What the block does next, as Turn is told it.
    [[nodiscard]] __device__ int take() {
        int const ticket = atomicAdd(chain_.words, 1);
        while (ticket >= first_ + tickets()) {
            first_ += tickets();
            if (++layer_ == chain_.layers) layer_ = 0, ++band_;
            if (band_ == chain_.bands) return Turn::kOver;
            find_end();
        }
        int const tile = begin_ + (ticket - first_) * chain_.each;
        return Turn::told(layer_, tile, chain_.each == 2 && tile + 1 < end_);
    }

private:
    [[nodiscard]] __device__ int tickets() const { return (end_ - begin_ + chain_.each - 1) / chain_.each; }
    __device__ void find_end() {
        begin_ = band_ == 0 ? 0 : max(0, band_ * chain_.band - layer_) * chain_.across;
        int const row = band_ == chain_.bands - 1 ? chain_.rows : max(0, (band_ + 1) * chain_.band - layer_);
        end_ = row * chain_.across;
    }

    Chain const& chain_;
    int band_ = 0, layer_ = 0;
    int first_ = 0;  ///< ticket of a layer in a band
    int begin_ = 0, end_ = 0;
};

/// A block's tickets, which one warp takes and all others read.
struct Tickets {
    static constexpr int kSlots = 4;
    static constexpr int kBarrierBytes = 2 * 8 * kSlots;
    int* slots;
    std::uint32_t full;  ///< behind it, barriers of empty slots

    __device__ void init(int readers) const {
        for (int i = 0; i < kSlots; ++i) {
            init_barrier(full + 8 * i, 1);
            init_barrier(full + 8 * (kSlots + i), readers);
        }
    }
    /// By one thread.
    __device__ void put(int round, int ticket) const {
        wait(full + 8 * (kSlots + round % kSlots), (round / kSlots & 1) ^ 1);
        slots[round % kSlots] = ticket;
        arrive(full + 8 * (round % kSlots));
    }
    /// By a reader of one thread, once.
    [[nodiscard]] __device__ int read_by_thread(int round) const {
        int const ticket = look(round);
        arrive(full + 8 * (kSlots + round % kSlots));
        return ticket;
    }
    /// By who puts them.
    [[nodiscard]] __device__ int look(int round) const {
        wait(full + 8 * (round % kSlots), round / kSlots & 1);
        return slots[round % kSlots];
    }
    /// By a warp.
    [[nodiscard]] __device__ int read_by_warp(int round) const {
        int const ticket = look(round);
        arrive_by_warp(full + 8 * (kSlots + round % kSlots));
        return ticket;
    }
};

/// Three barriers for each warpgroup: something was delivered; it has taken the tile that was, if any, and left its
/// result in its place; it has computed a tile, and waits for the next delivery.
struct ChainBarriers {
    static constexpr int kBytes = 3 * 8;
    std::uint32_t first;
    int* has_tile;  ///< of each warpgroup: what was delivered is a tile, else only room for its result

    [[nodiscard]] __device__ std::uint32_t full(int group) const { return first + kBytes * group; }
    [[nodiscard]] __device__ std::uint32_t done(int group) const { return first + kBytes * group + 8; }
    [[nodiscard]] __device__ std::uint32_t computed(int group) const { return first + kBytes * group + 16; }
    __device__ void init(int groups) const {
        for (int g = 0; g < groups; ++g) {
            init_barrier(full(g), 1);
            init_barrier(done(g), 4);
            init_barrier(computed(g), 4);
        }
    }
};

/// One warp that brings a warpgroup's tiles and takes its results away; the first one takes the tickets.
template <class W, class Arguments>
struct ChainMover {
    static constexpr int kTileBytes = kTokens * W::kColumns * 4;
    Arguments const& a;
    std::uint32_t stage;  ///< of the warpgroup
    ChainBarriers barriers;
    Tickets tickets;
    int group;

    __device__ void run() const {
        await_previous();
        ChainOrder order(a.chain);
        Turn computing = Turn::none();
        std::uint32_t done = 0, computed = 0;  // parities
        for (int round = 0;; ++round) {
            Turn const next(ticket(round, order), group);
            bool is_loaded = false;
            if (computing.has_tile()) {
                is_loaded = next.has_tile() && await(next, true, computed);
                deliver(is_loaded, next);
                wait(barriers.done(group), done);
                store(computing);
                done ^= 1, computed ^= 1;
                computing = Turn::none();
            }
            if (next.is_over()) return;
            if (!next.has_tile()) continue;
            if (!is_loaded) {
                static_cast<void>(await(next, false, 0));
                deliver(true, next);
                wait(barriers.done(group), done);
                done ^= 1;
            }
            computing = next;
        }
    }

private:
    [[nodiscard]] __device__ int ticket(int round, ChainOrder& order) const {
        if (group != 0) return tickets.read_by_warp(round);
        if (threadIdx.x % 32 == 0) tickets.put(round, order.take());
        __syncwarp();
        return tickets.look(round);
    }
    [[nodiscard]] __device__ WindowTile tile(Turn const& turn) const {
        return WindowTile(a.layers[turn.layer].tiles, turn.tile);
    }
    /// Until the tile can be loaded, or before that until the warpgroup needs room for its result, which others, or
    /// even this tile, may wait for. Whether it can.
    [[nodiscard]] __device__ bool await(Turn const& turn, bool is_computing, std::uint32_t computed) const {
        WindowTile const at = tile(turn);
        int const before = turn.layer == 0 ? 0 : a.layers[turn.layer - 1].tiles.shift;
        while (__all_sync(0xFFFFFFFFU, a.chain.is_ready(turn.layer, at, before)) == 0) {
            if (is_computing && __any_sync(0xFFFFFFFFU, is_complete(barriers.computed(group), computed)) != 0) {
                return false;
            }
            __nanosleep(64);
        }
        fence_copies();
        return true;
    }
    __device__ void deliver(bool is_tile, Turn const& turn) const {
        if (threadIdx.x % 32 == 0) {
            barriers.has_tile[group] = is_tile ? 1 : 0;
            if (is_tile) arrive_expecting(barriers.full(group), kTileBytes);
            else arrive(barriers.full(group));
        }
        __syncwarp();
        if (is_tile) move<true>(turn);
    }
    __device__ void store(Turn const& turn) const {
        move<false>(turn);
        commit_stores();
        wait_for_stores();
        if (turn.layer == a.chain.layers - 1) return;
        fence_copies();
        __threadfence();
        __syncwarp();
        WindowTile const at = tile(turn);
        if (threadIdx.x % 32 == 0) add_released(a.chain.done(turn.layer, at, at.row), 1);
    }
    template <bool kIn>
    __device__ void move(Turn const& turn) const {
        int const lane = static_cast<int>(threadIdx.x) % 32;
        if (lane >= kTokens / 4) return;
        std::int64_t const offset = tile(turn).pixel(4 * lane) * W::kColumns;
        std::uint32_t const at = stage + lane * (kTileBytes / 16);
        if (kIn) load_bulk(at, (turn.layer == 0 ? a.x : a.y) + offset, kTileBytes / 16, barriers.full(group));
        else store_bulk(a.y + offset, at, kTileBytes / 16);
    }
};

/// Where a layer's vectors and scales lie in shared memory: the first half's of two layers in turns, since a block's
/// warpgroups do not change layers at the same moment; the second half's are needed later.
template <class W>
struct ChainVectors {
    static constexpr int kFirstFloats = AttentionVectors<W>::kFloats, kSecondFloats = FeedforwardVectors<W>::kFloats;
    struct Memory {
        float first[2][kFirstFloats];
        float second[kSecondFloats];
        AttentionScales first_scales[2];
        HalfBlockScales second_scales;
    };
    static constexpr int kBarrierBytes = 5 * 8;
    Memory& memory;
    std::uint32_t barriers;

    [[nodiscard]] __device__ std::uint32_t loaded() const { return barriers; }
    [[nodiscard]] __device__ std::uint32_t second_unused() const { return barriers + 8; }
    [[nodiscard]] __device__ std::uint32_t second_there() const { return barriers + 16; }
    [[nodiscard]] __device__ std::uint32_t first_there(int change) const { return barriers + 24 + change % 2 * 8; }
    __device__ void init() const {
        init_barrier(loaded(), 1);
        init_barrier(second_unused(), 1);
        for (std::uint32_t const there : {second_there(), first_there(0), first_there(1)}) init_barrier(there, 32);
    }
    // By those that compute; `change` counts the layers that the block has had before.
    __device__ void await_first(int change) const { wait(first_there(change), change / 2 & 1); }
    __device__ void await_second(int change) const { wait(second_there(), change & 1); }

    /// By one warp, for each layer that the block comes to.
    template <class Arguments>
    __device__ void run(Arguments const& a, Tickets const& tickets) const {
        for (int round = 0, layer = -1, change = -1;; ++round) {
            Turn const turn(tickets.read_by_warp(round), 0);
            if (turn.is_over()) return;
            if (turn.layer == layer) continue;
            layer = turn.layer, ++change;
            int const at = change % 2;
            auto const& layer_weights = a.layers[layer];
            bring(layer_weights.attention, memory.first[at], memory.first_scales[at], 0);
            arrive(first_there(change));
            wait(second_unused(), change & 1);
            bring(layer_weights.feedforward, memory.second, memory.second_scales, 1);
            arrive(second_there());
        }
    }

private:
    template <class Weights, class Scales>
    __device__ void bring(Weights const& weights, float* to, Scales& scales_to, std::uint32_t parity) const {
        if (threadIdx.x % 32 == 0) {
            arrive_expecting(loaded(), Weights::V::kFloats * 4);
            weights.load_vectors(shared_address(to), loaded());
        }
        __syncwarp();
        Scales const scales = weights.scales();
        wait(loaded(), parity);
        weights.scale_vectors(to, scales, OneWarp());
        if (threadIdx.x % 32 == 0) scales_to = scales;
        fence_shared();
        __syncwarp();
    }
};

}  // namespace vitrum::cuda::hopper
