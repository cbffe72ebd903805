// SPDX-License-Identifier: Apache-2.0
#include "vitrum/restore.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "image/convert.h"
#include "tasks/restore_tile.h"
#include "tasks/tiled_run.h"

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

RestoreReport restore_opaque(Session& session, Image const& picture, RestoreOptions const& options) {
    auto const start = std::chrono::steady_clock::now();
    ModelInfo const& info = session.engine().info();
    TiledRunOptions const how{options.tile, options.tile_overlap, options.memory_bytes, options.approximate,
                              options.progress};
    RestoreTile network(session, picture);
    TiledRun tiled(session, network, picture.height(), picture.width(), picture.channels(), how);

    std::int64_t const width = picture.width() * info.scale, height = picture.height() * info.scale;
    int const planes = picture.channels() + (picture.has_alpha() ? 1 : 0);
    tiled.choose_tiles(static_cast<std::uint64_t>(width * height * planes) * size_of(picture.type()));
    RestoreReport report;
    report.image = Image(width, height, picture.channels(), picture.type(), picture.has_alpha());
    report.image.metadata = picture.metadata;
    if (picture.has_alpha()) restore_alpha(picture, report.image);

    auto const keep = [&](std::int64_t x, std::int64_t y, std::int64_t count, float const* pixels) {
        return colour_from_float(pixels, picture.channels(), {x, y, count, 1}, report.image);
    };
    TiledRunReport const tiles = tiled.run(static_cast<float>(1.0 / info.value_range), keep);
    report.tiles = tiles.tiles;
    report.tile_width = tiles.tile_width;
    report.tile_height = tiles.tile_height;
    report.retries = tiles.retries;
    report.reruns = tiles.reruns;
    report.compute_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return report;
}

}  // namespace

RestoreReport restore(Session& session, Image const& picture, RestoreOptions const& options) {
    if (picture.empty()) fail_as(ErrorKind::usage, "the picture is empty");
    if (!picture.has_alpha()) return restore_opaque(session, picture, options);
    Image visible = picture.clone();
    bleed_colour_under_alpha(visible);
    return restore_opaque(session, visible, options);
}

}  // namespace vitrum
