// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "bands.h"
#include "base/check.h"
#include "tasks/memory_budget.h"
#include "vitrum/spectral.h"

namespace vitrum {
namespace {

/// Columns by which the disperser moves one band against the last: `shift` and `shift_back` in
/// simulation/test_code/utils.py of the MST repository.
constexpr std::int64_t kStep = 2;

std::string shape_text(std::vector<std::int64_t> const& shape) {
    return fmt::format("[{}]", fmt::join(shape, ", "));
}

void check_numbers(Measurement const& measurement) {
    std::int64_t count = 1;
    for (std::int64_t const extent : measurement.shape) count *= std::max<std::int64_t>(extent, 0);
    if (count != static_cast<std::int64_t>(measurement.values.size())) {
        fail_as(ErrorKind::usage, "{}: {} numbers do not make an array of {}", measurement.name,
                measurement.values.size(), shape_text(measurement.shape));
    }
    for (float const value : measurement.values) {
        if (!std::isfinite(value)) fail("{}: holds NaN or infinite values", measurement.name);
    }
}

/// [H, W] or [H, W, B], read also from [B, H, W].
struct Planes {
    float const* values;
    std::int64_t height, width;
    std::int64_t row, column, band;  ///< strides; a plane that serves every band has 0

    [[nodiscard]] float at(std::int64_t y, std::int64_t x, std::int64_t b) const {
        return values[y * row + x * column + b * band];
    }
};

Planes planes_of(Measurement const& m, std::int64_t bands) {
    auto const& s = m.shape;
    if (s.size() == 2) return {m.values.data(), s[0], s[1], s[1], 1, 0};
    if (s.size() == 3 && s[2] == bands) return {m.values.data(), s[0], s[1], s[1] * bands, bands, 1};
    if (s.size() == 3 && s[0] == bands) return {m.values.data(), s[1], s[2], s[2], 1, s[1] * s[2]};
    fail_as(ErrorKind::usage, "{}: {} is neither a picture [H, W] nor {} bands [H, W, {}]", m.name, shape_text(s),
            bands, bands);
}

/// One run of a network that takes a snapshot: fills both of its inputs.
class SnapshotRun {
public:
    SnapshotRun(Session& session, Measurement const& snapshot, Measurement const& mask)
        : session_(session), bands_(session.engine().info().in_channels), spread_(kStep * (bands_ - 1)) {
        check_numbers(snapshot);
        check_numbers(mask);
        planes_ = planes_of(snapshot, bands_);
        is_detector_picture_ = planes_.band == 0;
        height_ = planes_.height;
        width_ = planes_.width - (is_detector_picture_ ? spread_ : 0);
        if (height_ < 1 || width_ < 1) {
            fail_as(
                ErrorKind::usage,
                "{}: {} is too small for a snapshot: {} bands, each moved by {} columns, take {} columns beside the "
                "scene's own",
                snapshot.name, shape_text(snapshot.shape), bands_, kStep, spread_);
        }
        read_mask(mask);
    }

    [[nodiscard]] Sizes sizes() const { return {1, height_, width_}; }
    [[nodiscard]] bool is_detector_picture() const { return is_detector_picture_; }

    void fill_inputs(float gain) {
        float* to = session_.input(0).data();
        std::int64_t const step = is_detector_picture_ ? kStep : 0;
        for (std::int64_t y = 0; y < height_; ++y) {
            for (std::int64_t x = 0; x < width_; ++x) {
                for (std::int64_t b = 0; b < bands_; ++b) *to++ = planes_.at(y, x + step * b, b) * gain;
            }
        }
        fill_mask(session_.input(1).data());
    }

private:
    void read_mask(Measurement const& mask) {
        mask_ = planes_of(mask, bands_);
        is_moved_ = mask_.width == width_ + spread_ && mask_.band != 0;
        bool const fits = mask_.height == height_ && (is_moved_ || mask_.width == width_);
        if (!fits) {
            fail_as(ErrorKind::usage,
                    "{}: a mask of {} does not fit a snapshot of {} rows; it must be [{}, {}], or moved [{}, {}, {}]",
                    mask.name, shape_text(mask.shape), height_, height_, width_, height_, width_ + spread_, bands_);
        }
        constexpr float kHighest = 2;  // a measured transmission may pass 1 a little, counts are in the hundreds
        float const highest = *std::ranges::max_element(mask.values);
        if (highest > kHighest) {
            fail_as(ErrorKind::usage, "{}: the mask reaches {}; a mask lies between 0 and 1", mask.name, highest);
        }
    }

    void fill_mask(float* to) const {
        std::int64_t const columns = width_ + spread_;
        for (std::int64_t y = 0; y < height_; ++y) {
            for (std::int64_t x = 0; x < columns; ++x) {
                for (std::int64_t b = 0; b < bands_; ++b) {
                    std::int64_t const from = is_moved_ ? x : x - kStep * b;
                    *to++ = from >= 0 && from < mask_.width ? mask_.at(y, from, b) : 0.0F;
                }
            }
        }
    }

    Session& session_;
    std::int64_t bands_, spread_;
    Planes planes_{}, mask_{};
    std::int64_t height_ = 0, width_ = 0;
    bool is_detector_picture_ = false, is_moved_ = false;
};

void check_memory(Session const& session, Sizes const& sizes, std::uint64_t limit) {
    std::uint64_t const cube =
        static_cast<std::uint64_t>(sizes.h * sizes.w * session.engine().info().out_channels) * sizeof(float);
    auto const budget = activation_budget(session, cube, limit);
    std::uint64_t const needed = session.engine().arena_bytes(sizes);
    if (budget && needed > *budget) {
        fail_as(ErrorKind::out_of_memory,
                "the network works on the whole snapshot at once and needs {:.0f} MiB, but {}",
                static_cast<double>(needed) / 0x1p20, too_little_memory(session, *budget));
    }
}

}  // namespace

bool takes_snapshot(Engine const& engine) {
    return engine.info().kind == Task::spectral && engine.info().in_channels != 3;
}

SpectralReport spectral(Session& session, Measurement const& snapshot, Measurement const& mask,
                        SpectralOptions const& options) {
    auto const start = std::chrono::steady_clock::now();
    ModelInfo const& info = session.engine().info();
    if (!takes_snapshot(session.engine())) {
        fail_as(ErrorKind::usage, "{} rebuilds spectra from pictures; it takes no snapshot and no mask", info.variant);
    }
    if (options.tile > 0) fail_as(ErrorKind::usage, "a snapshot cannot be cut into tiles; leave --tile out");
    SnapshotRun run(session, snapshot, mask);
    Sizes const sizes = run.sizes();
    check_memory(session, sizes, options.memory_bytes);
    session.prepare(sizes);
    // gen_meas_torch() of the original: the detector's sum over the bands times 2 / bands.
    bool const is_sum = run.is_detector_picture() && !snapshot.full_scale;
    bool const scaled = is_sum && options.normalisation == Normalisation::original;
    run.fill_inputs(scaled ? 2.0F / static_cast<float>(info.in_channels) : 1.0F);
    Reruns const before = session.reruns();
    session.run_checked(options.progress);

    SpectralReport report;
    report.reruns = session.reruns().since(before);
    report.cube = Cube(sizes.h, sizes.w, wavelengths_of(info));
    report.tile_height = static_cast<int>(sizes.h);
    report.tile_width = static_cast<int>(sizes.w);
    std::int64_t non_finite = 0;
    float const* row = session.output().data();
    for (std::int64_t y = 0; y < sizes.h; ++y, row += sizes.w * info.out_channels) {
        non_finite += CubeFiller(report, options.clip).fill(0, y, sizes.w, row);
    }
    if (non_finite != 0) {
        fail_as(ErrorKind::accuracy,
                "the network's output holds {} NaN or infinite values; nothing was written, check the weights with "
                "`vitrum verify`",
                non_finite);
    }
    report.compute_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return report;
}

}  // namespace vitrum
