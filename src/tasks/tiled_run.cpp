// SPDX-License-Identifier: Apache-2.0
#include "tasks/tiled_run.h"

#include <algorithm>
#include <new>

#include "base/check.h"
#include "engine/engine_data.h"
#include "tasks/memory_budget.h"

namespace vitrum {

TiledRun::TiledRun(Session& session, TileNetwork& network, std::int64_t height, std::int64_t width, int channels,
                   TiledRunOptions const& options)
    : session_(session),
      network_(network),
      info_(session.engine().info()),
      size_{height * info_.scale, width * info_.scale, channels},
      height_(height),
      width_(width),
      options_(options) {
    // Where no tile sees all that it depends on, an overlap only hides the seams.
    constexpr int kHidingOverlap = 32;
    int const usual =
        info_.mixes_whole_picture ? std::max(info_.receptive_radius, kHidingOverlap) : info_.receptive_radius;
    overlap_ = options.tile_overlap >= 0 ? options.tile_overlap : usual;
    side_ = std::max(height, width);
    check_options();
}

void TiledRun::check_options() const {
    constexpr int kSmallestAsked = 32;
    if (options_.tile > 0 && options_.tile < kSmallestAsked) {
        fail_as(ErrorKind::usage, "a tile of {} pixels is too small; the smallest is {}", options_.tile,
                kSmallestAsked);
    }
    if (options_.tile > 0 && options_.tile_overlap > options_.tile / 2) {
        fail_as(ErrorKind::usage, "an overlap of {} pixels is more than half of a tile of {}", options_.tile_overlap,
                options_.tile);
    }
    if (options_.tile > 0 && options_.tile < std::max(height_, width_) && info_.mixes_whole_picture &&
        !options_.approximate) {
        fail_as(ErrorKind::usage,
                "{} looks at the whole picture at once, so that tiles would change the result; allow it with "
                "--approximate, or leave --tile out",
                info_.variant);
    }
}

bool TiledRun::may_tile() const {
    return options_.tile != 0 && (options_.approximate || !info_.mixes_whole_picture);
}

TilePlan TiledRun::plan(std::int64_t side) const {
    return plan_tiles(height_, width_, side, overlap_, info_.tile_multiple);
}

std::uint64_t TiledRun::bytes_beside_arena(std::int64_t height, std::int64_t width) const {
    return network_.bytes(height, width) + SeamBlender::bytes(plan(std::max(height, width)), size_, info_.scale);
}

std::uint64_t TiledRun::bytes_for(std::int64_t height, std::int64_t width) const {
    return session_.engine().data().largest_arena_bytes({1, height, width}) + bytes_beside_arena(height, width);
}

bool TiledRun::fits(std::int64_t height, std::int64_t width, std::uint64_t budget) const {
    // Programs in the more exact precisions are made only where it is close, which is rare in folders of small
    // pictures.
    constexpr std::uint64_t kAmple = 4;
    std::uint64_t const asked = session_.engine().arena_bytes({1, height, width});
    if (kAmple * asked + bytes_beside_arena(height, width) <= budget) return true;
    return bytes_for(height, width) <= budget;
}

void TiledRun::fail_smallest(std::uint64_t budget) const {
    TilePlan const smallest = plan(kSmallestTile);
    fail_as(ErrorKind::out_of_memory, "even tiles of {}×{} pixels need {:.0f} MiB, but {}", smallest.x.tile,
            smallest.y.tile, static_cast<double>(bytes_for(smallest.y.tile, smallest.x.tile)) / 0x1p20,
            too_little_memory(session_, budget));
}

void TiledRun::fail_whole(std::uint64_t budget) const {
    fail_as(
        ErrorKind::out_of_memory,
        "{}×{} pixels need {:.0f} MiB, and {} looks at the whole picture at once, but {}, or take tiles that change "
        "the result (--approximate)",
        width_, height_, static_cast<double>(bytes_for(height_, width_)) / 0x1p20, info_.variant,
        too_little_memory(session_, budget));
}

void TiledRun::choose_tiles(std::uint64_t result_bytes) {
    std::int64_t const whole = std::max(height_, width_);
    side_ = options_.tile > 0 ? std::min<std::int64_t>(options_.tile, whole) : whole;
    if (options_.tile == 0 || (options_.tile > 0 && options_.memory_bytes == 0)) return;
    auto const budget = activation_budget(session_, result_bytes, options_.memory_bytes);
    if (!budget) return;
    if (!may_tile()) {
        if (!fits(height_, width_, *budget)) fail_whole(*budget);
        return;
    }
    std::int64_t const largest = largest_tile(height_, width_, overlap_, info_.tile_multiple,
                                              [&](std::int64_t h, std::int64_t w) { return fits(h, w, *budget); });
    if (largest == 0) fail_smallest(*budget);
    side_ = std::min(side_, largest);
}

void TiledRun::run_once(TiledRunReport& report, float gain, RowSink const& sink) {
    TilePlan const tiles = plan(side_);
    network_.prepare(tiles.y.tile, tiles.x.tile);
    SeamBlender blender(tiles, info_.scale, gain, size_, sink);
    report.tiles = static_cast<int>(tiles.count());
    report.tile_height = static_cast<int>(tiles.y.tile);
    report.tile_width = static_cast<int>(tiles.x.tile);
    Reruns const before = session_.reruns();

    double done = 0;  // tiles
    auto const progress = [&](double fraction) {
        return !options_.progress || options_.progress((done + fraction) / static_cast<double>(tiles.count()));
    };
    for (std::int64_t iy = 0; iy < tiles.y.count(); ++iy) {
        for (std::int64_t ix = 0; ix < tiles.x.count(); ++ix) {
            std::int64_t const y = tiles.y.origins[static_cast<std::size_t>(iy)];
            std::int64_t const x = tiles.x.origins[static_cast<std::size_t>(ix)];
            std::int64_t const non_finite = blender.add(iy, ix, network_.run(y, x, progress).data());
            if (non_finite != 0) {
                fail_as(ErrorKind::accuracy,
                        "the network's output holds {} NaN or infinite values in the tile at pixel ({}, {}); nothing "
                        "was written, check the weights with `vitrum verify`",
                        non_finite, x, y);
            }
            ++done;
        }
    }
    report.reruns = session_.reruns().since(before);
}

TiledRunReport TiledRun::run(float gain, RowSink const& sink) {
    TiledRunReport report;
    for (;;) {
        bool const smaller_possible = may_tile() && side_ > kSmallestTile;
        try {
            run_once(report, gain, sink);
            return report;
        } catch (Error const& error) {
            if (error.kind() != ErrorKind::out_of_memory || !smaller_possible) throw;
        } catch (std::bad_alloc const&) {
            if (!smaller_possible) {
                fail_as(ErrorKind::out_of_memory,
                        "out of memory with tiles of {} pixels; close other programs or add memory", side_);
            }
        }
        ++report.retries;
        side_ = std::max(kSmallestTile, side_ / 2);
    }
}

}  // namespace vitrum
