// SPDX-License-Identifier: Apache-2.0
#include "tasks/seam_blender.h"

#include <algorithm>

namespace vitrum {
namespace {

/// onto = from · (1 − w) + onto · w: the weights of both sides sum to exactly one.
void fade(float const* from, float* onto, std::int64_t count, float weight) {
    for (std::int64_t i = 0; i < count; ++i) onto[i] = from[i] * (1.0F - weight) + onto[i] * weight;
}

std::size_t strip_floats(TilePlan const& plan, int scale, std::int64_t channels) {
    if (plan.x.count() == 1) return 0;
    return static_cast<std::size_t>(plan.y.tile * scale * (plan.x.overlap / 2) * scale * channels);
}

std::size_t carried_floats(TilePlan const& plan, BlendedSize const& size, int scale) {
    if (plan.y.count() == 1) return 0;
    return static_cast<std::size_t>(plan.y.overlap / 2 * scale * size.width * size.channels);
}

}  // namespace

SeamBlender::SeamBlender(TilePlan const& plan, int scale, float gain, BlendedSize const& size, RowSink sink)
    : plan_(plan), scale_(scale), gain_(gain), size_(size), sink_(std::move(sink)), channels_(size.channels) {
    row_.resize(static_cast<std::size_t>(plan.x.tile * scale * channels_));
    left_.resize(strip_floats(plan, scale, channels_));
    above_.resize(carried_floats(plan, size, scale));
}

std::size_t SeamBlender::bytes(TilePlan const& plan, BlendedSize const& size, int scale) {
    return (strip_floats(plan, scale, size.channels) + carried_floats(plan, size, scale) +
            static_cast<std::size_t>(plan.x.tile * scale * size.channels)) *
           sizeof(float);
}

SeamBlender::Extent SeamBlender::extent(AxisTiles const& axis, std::int64_t i, std::int64_t length) const {
    Extent extent{axis.origins[static_cast<std::size_t>(i)] * scale_, 0, length, 0, 0};
    if (i > 0) {
        Seam const before = seam_after(axis, i - 1);
        extent.begin = before.begin * scale_;
        extent.fade = before.width * scale_;
    }
    if (i + 1 < axis.count()) {
        Seam const after = seam_after(axis, i);
        extent.end = after.begin * scale_;
        extent.kept = after.width * scale_;
    }
    return extent;
}

std::int64_t SeamBlender::add(std::int64_t iy, std::int64_t ix, float const* tile) {
    Extent const y = extent(plan_.y, iy, size_.height), x = extent(plan_.x, ix, size_.width);
    std::int64_t const tile_row = plan_.x.tile * scale_ * channels_, result_row = size_.width * channels_;
    std::int64_t const columns = (x.end - x.begin) * channels_;
    std::int64_t non_finite = 0;
    for (std::int64_t row = y.begin; row < y.end + y.kept; ++row) {
        blend_row_with_left(x, tile + (row - y.origin) * tile_row, row - y.origin);
        if (row < y.begin + y.fade) {
            float const* const above = above_.data() + (row - y.begin) * result_row + x.begin * channels_;
            fade(above, row_.data(), columns, fade_in(row - y.begin, y.fade));
        }
        if (row < y.end) {
            non_finite += sink_(x.begin, row, x.end - x.begin, row_.data());
        } else {
            std::copy_n(row_.data(), columns, above_.data() + (row - y.end) * result_row + x.begin * channels_);
        }
    }
    return non_finite;
}

void SeamBlender::blend_row_with_left(Extent const& x, float const* row, std::int64_t y_in_tile) {
    float const* const from = row + (x.begin - x.origin) * channels_;
    std::int64_t const count = (x.end - x.begin) * channels_;
    for (std::int64_t i = 0; i < count; ++i) row_[static_cast<std::size_t>(i)] = from[i] * gain_;

    std::int64_t const seam = std::max(x.fade, x.kept);
    float* const left = left_.data() + y_in_tile * seam * channels_;
    for (std::int64_t k = 0; k < x.fade; ++k) {
        fade(left + k * channels_, row_.data() + k * channels_, channels_, fade_in(k, x.fade));
    }
    float const* const right = row + (x.end - x.origin) * channels_;
    for (std::int64_t i = 0; i < x.kept * channels_; ++i) left[i] = right[i] * gain_;
}

}  // namespace vitrum
