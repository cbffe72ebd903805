// SPDX-License-Identifier: Apache-2.0
#include "vitrum/spectral.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "bands.h"
#include "base/check.h"
#include "tasks/tiled_run.h"

namespace vitrum {
namespace {

/// Samples as the network wants them: (sample − offset) / width.
struct SampleRange {
    float offset = 0, width = 1;
};

/// predict_code/test.py of the MST++ repository: (rgb − rgb.min()) / (rgb.max() − rgb.min()), in float32.
SampleRange range_of(Image const& picture) {
    SampleRange range;
    visit_samples(picture.type(), [&]<class T>(T) {
        T const* const samples = picture.row<T>(0);
        auto const count = static_cast<std::size_t>(picture.width() * picture.height() * picture.channels());
        float low = std::numeric_limits<float>::infinity(), high = -low;
        for (std::size_t i = 0; i < count; ++i) {
            auto const sample = static_cast<float>(samples[i]);
            if (!std::isfinite(sample)) fail("the picture holds samples that are NaN or infinite");
            low = std::min(low, sample);
            high = std::max(high, sample);
        }
        range = {low, high - low};
    });
    if (!(range.width > 0)) {
        fail_as(
            ErrorKind::usage,
            "all samples of the picture are the same, so that it has no range to normalise by; use --normalise none");
    }
    return range;
}

SampleRange full_scale(SampleType type) {
    return {0, type == SampleType::u8 ? 255.0F : type == SampleType::u16 ? 65535.0F : 1.0F};
}

class RgbTile final : public TileNetwork {
public:
    RgbTile(Session& session, Image const& picture, SampleRange range)
        : session_(session), picture_(picture), range_(range) {}

    void prepare(std::int64_t height, std::int64_t width) override {
        height_ = height;
        width_ = width;
        session_.prepare({1, height, width});
    }

    std::span<float const> run(std::int64_t y, std::int64_t x, Progress const& progress) override {
        visit_samples(picture_.type(), [&]<class T>(T) { fill<T>(y, x); });
        session_.run_checked(progress);
        return session_.output();
    }

    [[nodiscard]] std::size_t bytes(std::int64_t, std::int64_t) const override { return 0; }

private:
    template <class T>
    void fill(std::int64_t y, std::int64_t x) {
        float* to = session_.input().data();
        for (std::int64_t row = 0; row < height_; ++row) {
            T const* const from = picture_.row<T>(mirrored(y + row, picture_.height()));
            for (std::int64_t column = 0; column < width_; ++column) {
                T const* const pixel = from + mirrored(x + column, picture_.width()) * 3;
                for (int c = 0; c < 3; ++c) *to++ = (static_cast<float>(pixel[c]) - range_.offset) / range_.width;
            }
        }
    }

    Session& session_;
    Image const& picture_;
    SampleRange range_;
    std::int64_t height_ = 0, width_ = 0;
};

void check_request(Engine const& engine, Image const& picture) {
    ModelInfo const& info = engine.info();
    if (picture.empty()) fail_as(ErrorKind::usage, "the picture is empty");
    if (takes_snapshot(engine)) {
        fail_as(ErrorKind::usage,
                "{} rebuilds a cube from a coded-aperture snapshot and its mask (--mask), not from a picture",
                info.variant);
    }
    if (info.kind != Task::spectral || info.in_channels != 3 || info.scale != 1) {
        fail_as(ErrorKind::usage, "{} does not turn RGB into spectra", info.variant);
    }
    if (picture.channels() != 3) {
        fail_as(ErrorKind::usage,
                "a grey picture: {} rebuilds spectra from the colours of an RGB picture, and grey has none",
                info.variant);
    }
}

}  // namespace

SpectralReport spectral(Session& session, Image const& picture, SpectralOptions const& options) {
    auto const start = std::chrono::steady_clock::now();
    check_request(session.engine(), picture);
    bool const original = options.normalisation == Normalisation::original;
    RgbTile network(session, picture, original ? range_of(picture) : full_scale(picture.type()));
    std::vector<double> const wavelengths = wavelengths_of(session.engine().info());

    TiledRunOptions const how{options.tile, options.tile_overlap, options.memory_bytes, options.approximate,
                              options.progress};
    auto const bands = static_cast<std::int64_t>(wavelengths.size());
    TiledRun tiled(session, network, picture.height(), picture.width(), static_cast<int>(bands), how);
    tiled.choose_tiles(static_cast<std::uint64_t>(picture.height() * picture.width() * bands) * sizeof(float));
    SpectralReport report;
    report.cube = Cube(picture.height(), picture.width(), wavelengths);
    report.alpha_ignored = picture.has_alpha();
    TiledRunReport const tiles = tiled.run(1.0F, [&](auto x, auto y, auto count, float const* pixels) {
        return CubeFiller(report, options.clip).fill(x, y, count, pixels);
    });
    report.tiles = tiles.tiles;
    report.tile_width = tiles.tile_width;
    report.tile_height = tiles.tile_height;
    report.retries = tiles.retries;
    report.reruns = tiles.reruns;
    report.compute_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return report;
}

}  // namespace vitrum
