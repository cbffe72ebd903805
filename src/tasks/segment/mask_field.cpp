// SPDX-License-Identifier: Apache-2.0
#include "tasks/segment/mask_field.h"

#include <algorithm>
#include <cmath>

namespace vitrum {

float sigmoid(float x) {
    return 1.0F / (1.0F + std::exp(-x));
}

std::vector<float> class_probabilities(NetworkAnswer const& answer) {
    auto const per_query = static_cast<std::size_t>(answer.classes + 1);
    std::vector<float> probabilities(answer.class_logits.begin(), answer.class_logits.end());
    for (std::size_t at = 0; at < probabilities.size(); at += per_query) {
        std::span<float> const row(probabilities.data() + at, per_query);
        float const largest = *std::ranges::max_element(row);
        double sum = 0;
        for (float& value : row) sum += value = std::exp(value - largest);
        for (float& value : row) value = static_cast<float>(value / sum);
    }
    return probabilities;
}

MaskGrid gather(NetworkAnswer const& answer, std::span<int const> queries, Order order) {
    bool const turned = order == Order::columns;
    MaskGrid grid{
        turned ? Extent{answer.masks.w, answer.masks.h} : answer.masks, static_cast<std::int64_t>(queries.size()), {}};
    grid.values.reserve(static_cast<std::size_t>(answer.masks.h * answer.masks.w) * queries.size());
    for (std::int64_t y = 0; y < grid.extent.h; ++y) {
        for (std::int64_t x = 0; x < grid.extent.w; ++x) {
            std::int64_t const pixel = turned ? x * answer.masks.w + y : y * answer.masks.w + x;
            float const* const from = answer.mask_logits.data() + pixel * answer.queries;
            for (int const query : queries) grid.values.push_back(from[query]);
        }
    }
    return grid;
}

namespace {

/// to += weight · from
void accumulate(float const* from, float weight, std::span<float> to) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += weight * from[i];
}

void sample_row(MaskGrid const& grid, AxisTaps::Tap const& y, AxisTaps const& xs, std::vector<float>& scratch,
                std::span<float> to) {
    scratch.assign(static_cast<std::size_t>(grid.extent.w * grid.queries), 0.0F);
    for (std::size_t k = 0; k < y.from.size(); ++k) {
        if (y.weight[k] != 0) accumulate(grid.row(y.from[k]), y.weight[k], scratch);
    }
    std::ranges::fill(to, 0.0F);
    auto const queries = static_cast<std::size_t>(grid.queries);
    for (std::size_t x = 0; x < xs.taps.size(); ++x) {
        AxisTaps::Tap const& tap = xs.taps[x];
        for (std::size_t k = 0; k < tap.from.size(); ++k) {
            if (tap.weight[k] == 0) continue;
            accumulate(scratch.data() + tap.from[k] * grid.queries, tap.weight[k], to.subspan(x * queries, queries));
        }
    }
}

}  // namespace

void MaskField::row(std::int64_t at, std::vector<float>& scratch, std::span<float> to) const {
    sample_row(grid, y.taps[static_cast<std::size_t>(at)], x, scratch, to);
    if (!sigmoid_after) return;
    for (float& value : to) value = sigmoid(value);
}

MaskGrid resample(MaskGrid const& grid, AxisTaps const& y, AxisTaps const& x) {
    MaskGrid result{{y.size(), x.size()}, grid.queries, {}};
    std::int64_t const row_floats = x.size() * grid.queries;
    result.values.resize(static_cast<std::size_t>(y.size() * row_floats));
    std::vector<float> scratch;
    for (std::int64_t at = 0; at < y.size(); ++at) {
        sample_row(grid, y.taps[static_cast<std::size_t>(at)], x, scratch,
                   {result.values.data() + at * row_floats, static_cast<std::size_t>(row_floats)});
    }
    return result;
}

MaskField probability_field(NetworkAnswer const& answer, std::span<int const> queries, SegmentGeometry const& geometry,
                            SegmentRules rules) {
    MaskGrid grid = gather(answer, queries, Order::rows);
    auto const [picture, resized, network] = geometry;
    if (rules == SegmentRules::original) {
        return {std::move(grid), bilinear_axis_through(answer.masks.h, network.h, resized.h, picture.h),
                bilinear_axis_through(answer.masks.w, network.w, resized.w, picture.w), true};
    }
    grid = resample(grid, bilinear_axis(answer.masks.h, kHuggingFaceSide),
                    bilinear_axis(answer.masks.w, kHuggingFaceSide));
    for (float& value : grid.values) value = sigmoid(value);
    return {std::move(grid), bilinear_axis(kHuggingFaceSide, picture.h), bilinear_axis(kHuggingFaceSide, picture.w),
            false};
}

}  // namespace vitrum
