// SPDX-License-Identifier: Apache-2.0
#include "vitrum/restore.h"

#include <algorithm>
#include <chrono>
#include <new>

#include "base/check.h"
#include "image/convert.h"
#include "tasks/memory_budget.h"
#include "tasks/network_tile.h"
#include "tasks/seam_blender.h"
#include "tasks/tiling.h"

namespace vitrum {
namespace {

/// The alpha plane enlarged; f32 alpha may overshoot in bicubic interpolation and is clamped.
void restore_alpha(Image const& picture, Image& restored) {
    Image alpha(picture.width(), picture.height(), 1, picture.type());
    std::ranges::copy(picture.alpha_bytes(), alpha.colour_bytes().begin());
    if (restored.width() != picture.width()) alpha = resize_bicubic(alpha, restored.width(), restored.height());
    std::ranges::copy(alpha.colour_bytes(), restored.alpha_bytes().begin());
    if (restored.type() != SampleType::f32) return;
    for (std::int64_t y = 0; y < restored.height(); ++y) {
        float* const row = restored.alpha_row<float>(y);
        for (std::int64_t x = 0; x < restored.width(); ++x) row[x] = std::clamp(row[x], 0.0F, 1.0F);
    }
}

/// One restoring of one picture: chooses tiles, runs them, and takes smaller ones where memory runs out.
class Restoration {
public:
    Restoration(Session& session, Image const& picture, RestoreOptions const& options)
        : session_(session),
          info_(session.engine().info()),
          picture_(picture),
          options_(options),
          network_(session, picture) {
        overlap_ = options.tile_overlap >= 0 ? options.tile_overlap : info_.receptive_radius;
        check_options();
    }

    RestoreReport run();

private:
    void check_options() const;
    [[nodiscard]] TilePlan plan(std::int64_t side) const {
        return plan_tiles(picture_.height(), picture_.width(), side, overlap_, info_.tile_multiple);
    }
    [[nodiscard]] std::uint64_t bytes_for(std::int64_t height, std::int64_t width) const;
    [[nodiscard]] std::int64_t first_side(std::uint64_t restored_bytes) const;
    void restore_in_tiles(std::int64_t side, RestoreReport& report);

    Session& session_;
    ModelInfo const& info_;
    Image const& picture_;
    RestoreOptions const& options_;
    NetworkTile network_;
    std::int64_t overlap_ = 0;
};

void Restoration::check_options() const {
    constexpr int kSmallestAsked = 32;
    if (options_.tile > 0 && options_.tile < kSmallestAsked) {
        fail_as(ErrorKind::usage, "a tile of {} pixels is too small; the smallest is {}", options_.tile,
                kSmallestAsked);
    }
    if (options_.tile > 0 && options_.tile_overlap > options_.tile / 2) {
        fail_as(ErrorKind::usage, "an overlap of {} pixels is more than half of a tile of {}", options_.tile_overlap,
                options_.tile);
    }
}

std::uint64_t Restoration::bytes_for(std::int64_t height, std::int64_t width) const {
    TilePlan const tiles = plan(std::max(height, width));
    return session_.engine().arena_bytes({1, height, width}) + network_.bytes(height, width) +
           SeamBlender::bytes(tiles, picture_.width(), info_.scale, picture_.channels());
}

std::int64_t Restoration::first_side(std::uint64_t restored_bytes) const {
    std::int64_t const whole = std::max(picture_.height(), picture_.width());
    if (options_.tile == 0) return whole;
    std::int64_t const asked = options_.tile > 0 ? std::min<std::int64_t>(options_.tile, whole) : whole;
    if (options_.tile > 0 && options_.memory_bytes == 0) return asked;
    auto const budget = activation_budget(session_, restored_bytes, options_.memory_bytes);
    if (!budget) return asked;

    auto const fits = [&](std::int64_t h, std::int64_t w) { return bytes_for(h, w) <= *budget; };
    std::int64_t const largest = largest_tile(picture_.height(), picture_.width(), overlap_, info_.tile_multiple, fits);
    if (largest == 0) {
        TilePlan const smallest = plan(kSmallestTile);
        fail_as(ErrorKind::out_of_memory,
                "{:.0f} MiB of memory are left for the network, but even tiles of {}×{} pixels need {:.0f} MiB; "
                "allow more (--memory) or free some",
                static_cast<double>(*budget) / 0x1p20, smallest.x.tile, smallest.y.tile,
                static_cast<double>(bytes_for(smallest.y.tile, smallest.x.tile)) / 0x1p20);
    }
    return std::min(asked, largest);
}

void Restoration::restore_in_tiles(std::int64_t side, RestoreReport& report) {
    TilePlan const tiles = plan(side);
    network_.prepare(tiles.y.tile, tiles.x.tile);
    SeamBlender blender(tiles, info_.scale, static_cast<float>(1.0 / info_.value_range), report.image);
    report.tiles = static_cast<int>(tiles.count());
    report.tile_height = static_cast<int>(tiles.y.tile);
    report.tile_width = static_cast<int>(tiles.x.tile);

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
}

RestoreReport Restoration::run() {
    auto const start = std::chrono::steady_clock::now();
    RestoreReport report;
    std::int64_t const width = picture_.width() * info_.scale, height = picture_.height() * info_.scale;
    std::uint64_t const bytes =
        static_cast<std::uint64_t>(width * height * (picture_.channels() + (picture_.has_alpha() ? 1 : 0))) *
        size_of(picture_.type());
    std::int64_t side = first_side(bytes);
    report.image = Image(width, height, picture_.channels(), picture_.type(), picture_.has_alpha());
    report.image.metadata = picture_.metadata;
    if (picture_.has_alpha()) restore_alpha(picture_, report.image);

    for (bool done = false; !done;) {
        bool const smaller_possible = options_.tile != 0 && side > kSmallestTile;
        try {
            restore_in_tiles(side, report);
            done = true;
        } catch (Error const& error) {
            if (error.kind() != ErrorKind::out_of_memory || !smaller_possible) throw;
        } catch (std::bad_alloc const&) {
            if (!smaller_possible) {
                fail_as(ErrorKind::out_of_memory,
                        "out of memory with tiles of {} pixels; close other programs or add memory", side);
            }
        }
        if (done) break;
        ++report.retries;
        side = std::max(kSmallestTile, side / 2);
    }
    report.compute_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return report;
}

}  // namespace

RestoreReport restore(Session& session, Image const& picture, RestoreOptions const& options) {
    if (picture.empty()) fail_as(ErrorKind::usage, "the picture is empty");
    if (!picture.has_alpha()) return Restoration(session, picture, options).run();
    Image visible = picture.clone();
    bleed_colour_under_alpha(visible);
    return Restoration(session, visible, options).run();
}

}  // namespace vitrum
