// SPDX-License-Identifier: Apache-2.0
#include "tasks/segment/semantic.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "score_product.h"

namespace vitrum {
namespace {

std::int64_t padded(std::int64_t count, std::int64_t multiple) {
    return (count + multiple - 1) / multiple * multiple;
}

/// Class probabilities without "nothing", [queries, padded classes], zero in the padding.
std::vector<float> class_weights(NetworkAnswer const& answer) {
    std::vector<float> const probabilities = class_probabilities(answer);
    std::int64_t const width = padded(answer.classes, kScoreClasses);
    std::vector<float> weights(static_cast<std::size_t>(answer.queries * width));
    for (std::int64_t q = 0; q < answer.queries; ++q) {
        std::copy_n(probabilities.data() + q * (answer.classes + 1), answer.classes, weights.data() + q * width);
    }
    return weights;
}

/// Class scores of the rows between the network and the picture, made as they are asked for; the last two stay.
class ScoreRows {
public:
    ScoreRows(MaskField const& masks, std::vector<float> const& weights)
        : masks_(masks),
          weights_(weights),
          width_(padded(masks.x.size(), kScorePixels)),
          classes_(static_cast<std::int64_t>(weights.size()) / masks.grid.queries) {}

    /// [width, padded classes]; valid until two other rows are asked for.
    float const* row(std::int32_t y) {
        if (kept_[newest_].y != y) newest_ = 1 - newest_;
        Kept& kept = kept_[newest_];
        if (kept.y != y) {
            kept.y = y;
            fill(kept);
        }
        return kept.scores.data();
    }

private:
    struct Kept {
        std::int32_t y = -1;
        std::vector<float> scores;
    };

    void fill(Kept& kept) {
        std::int64_t const queries = masks_.grid.queries;
        mask_row_.resize(static_cast<std::size_t>(width_ * queries));
        masks_.row(kept.y, scratch_, std::span(mask_row_).first(static_cast<std::size_t>(masks_.x.size() * queries)));
        kept.scores.resize(static_cast<std::size_t>(width_ * classes_));
        multiply_scores(mask_row_.data(), weights_.data(), width_, queries, classes_, kept.scores.data());
    }

    MaskField const& masks_;
    std::vector<float> const& weights_;
    std::int64_t width_, classes_;
    std::array<Kept, 2> kept_;
    std::size_t newest_ = 0;
    std::vector<float> scratch_, mask_row_;
};

struct Sampling {
    AxisTaps y, x;  ///< from the rows between to the picture
    std::int64_t classes = 0, stride = 0;
};

/// Resamples one row of the picture and takes the best class of each pixel.
void best_classes(ScoreRows& rows, Sampling const& sampling, std::int64_t y, std::vector<float>& sums,
                  std::uint16_t* labels) {
    AxisTaps::Tap const& row = sampling.y.taps[static_cast<std::size_t>(y)];
    float const* const upper = rows.row(row.from[0]);
    float const* const lower = row.weight[1] == 0 ? upper : rows.row(row.from[1]);
    auto const classes = static_cast<std::size_t>(sampling.classes);
    sums.resize(classes);
    for (std::int64_t x = 0; x < sampling.x.size(); ++x) {
        AxisTaps::Tap const& column = sampling.x.taps[static_cast<std::size_t>(x)];
        std::int64_t const left = column.from[0] * sampling.stride, right = column.from[1] * sampling.stride;
        for (std::size_t c = 0; c < classes; ++c) {
            float const above = column.weight[0] * upper[left + static_cast<std::int64_t>(c)] +
                                column.weight[1] * upper[right + static_cast<std::int64_t>(c)];
            float const below = column.weight[0] * lower[left + static_cast<std::int64_t>(c)] +
                                column.weight[1] * lower[right + static_cast<std::int64_t>(c)];
            sums[c] = row.weight[0] * above + row.weight[1] * below;
        }
        labels[x] = static_cast<std::uint16_t>(std::ranges::max_element(sums) - sums.begin());
    }
}

/// Mask probabilities at the size where class scores are made, less the padding.
MaskField field_between(NetworkAnswer const& answer, SegmentGeometry const& geometry, SegmentRules rules) {
    std::vector<int> queries(static_cast<std::size_t>(answer.queries));
    std::iota(queries.begin(), queries.end(), 0);
    MaskGrid grid = gather(answer, queries, Order::rows);
    bool const original = rules == SegmentRules::original;
    Extent const size = original ? geometry.network : Extent{kHuggingFaceSide, kHuggingFaceSide};
    Extent const kept = original ? geometry.resized : size;
    MaskField field{std::move(grid), bilinear_axis(answer.masks.h, size.h), bilinear_axis(answer.masks.w, size.w),
                    true};
    field.y.taps.resize(static_cast<std::size_t>(kept.h));
    field.x.taps.resize(static_cast<std::size_t>(kept.w));
    return field;
}

}  // namespace

std::vector<std::uint16_t> semantic_map(NetworkAnswer const& answer, SegmentGeometry const& geometry,
                                        SegmentRules rules, ThreadPool& threads) {
    constexpr std::int64_t kBand = 16;  // rows of the picture that share the rows between
    MaskField const field = field_between(answer, geometry, rules);
    std::vector<float> const weights = class_weights(answer);
    std::int64_t const height = geometry.picture.h, width = geometry.picture.w;
    Sampling const sampling{bilinear_axis(field.y.size(), height), bilinear_axis(field.x.size(), width), answer.classes,
                            padded(answer.classes, kScoreClasses)};
    std::vector<std::uint16_t> labels(static_cast<std::size_t>(height * width));
    std::vector<ScoreRows> rows(static_cast<std::size_t>(threads.size()), ScoreRows(field, weights));
    std::vector<std::vector<float>> sums(rows.size());
    threads.parallel_for((height + kBand - 1) / kBand, [&](std::int64_t band, int worker) {
        auto const w = static_cast<std::size_t>(worker);
        for (std::int64_t y = band * kBand; y < std::min((band + 1) * kBand, height); ++y) {
            best_classes(rows[w], sampling, y, sums[w], labels.data() + y * width);
        }
    });
    return labels;
}

}  // namespace vitrum
