// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "tasks/seam_blender.h"
#include "tasks/tile_network.h"
#include "tasks/tiling.h"
#include "vitrum/engine.h"

namespace vitrum {

struct TiledRunOptions {
    int tile = -1;  ///< largest side of a tile in input pixels; 0: never tile; −1: only where memory asks for it
    int tile_overlap = -1;           ///< input pixels shared by neighbours; −1: the model's default
    std::uint64_t memory_bytes = 0;  ///< what this process may have in memory in all; 0: most of what is free
    bool approximate = false;        ///< tiles also for a network that mixes the whole picture
    Progress progress = nullptr;
};

struct TiledRunReport {
    int tiles = 1, tile_height = 0, tile_width = 0;
    int retries = 0;  ///< how often smaller tiles were taken after an allocation had failed
    Reruns reruns;
};

/// One picture through one network: chooses tiles, runs them, and takes smaller ones where memory runs out.
class TiledRun {
public:
    /// A picture of height × width input pixels whose result has `channels` values a pixel. Throws Error (usage)
    /// for tiles that make no sense, or that would change the answer of this network.
    TiledRun(Session& session, TileNetwork& network, std::int64_t height, std::int64_t width, int channels,
             TiledRunOptions const& options);

    /// Settles the size of the tiles, with `result_bytes` still to be allocated by the caller. Throws Error
    /// (out_of_memory) where not even the smallest fits.
    void choose_tiles(std::uint64_t result_bytes);

    /// Runs all tiles; every pixel of the result goes to `sink` once, times `gain`.
    TiledRunReport run(float gain, RowSink const& sink);

private:
    void check_options() const;
    [[nodiscard]] TilePlan plan(std::int64_t side) const;
    [[nodiscard]] std::uint64_t bytes_for(std::int64_t height, std::int64_t width) const;
    [[nodiscard]] bool may_tile() const;
    [[nodiscard]] std::uint64_t bytes_beside_arena(std::int64_t height, std::int64_t width) const;
    [[nodiscard]] bool fits(std::int64_t height, std::int64_t width, std::uint64_t budget) const;
    [[noreturn]] void fail_whole(std::uint64_t budget) const;
    [[noreturn]] void fail_smallest(std::uint64_t budget) const;
    void run_once(TiledRunReport& report, float gain, RowSink const& sink);

    Session& session_;
    TileNetwork& network_;
    ModelInfo const& info_;
    BlendedSize size_;  ///< of the result
    std::int64_t height_, width_;
    TiledRunOptions const& options_;
    std::int64_t overlap_ = 0, side_ = 0;
};

}  // namespace vitrum
