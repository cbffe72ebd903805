// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tasks/segment/bilinear.h"
#include "tasks/segment/geometry.h"

namespace vitrum {

/// What a segmentation network says, as it lies in memory.
struct NetworkAnswer {
    std::span<float const> class_logits;  ///< [queries, classes + 1], the last one "nothing"
    std::span<float const> mask_logits;   ///< [h, w, queries]
    std::int64_t queries = 0, classes = 0;
    Extent masks;
};

/// Softmax over classes and "nothing", [queries, classes + 1].
[[nodiscard]] std::vector<float> class_probabilities(NetworkAnswer const& answer);

[[nodiscard]] float sigmoid(float x);

/// Masks of some queries side by side, [h, w, queries].
struct MaskGrid {
    Extent extent;
    std::int64_t queries = 0;
    std::vector<float> values;
    [[nodiscard]] float const* row(std::int64_t y) const { return values.data() + y * extent.w * queries; }
};

/// Masks that can be asked for at any row of another size. A transposed field has the picture's columns as rows.
struct MaskField {
    MaskGrid grid;
    AxisTaps y, x;
    bool sigmoid_after = false;  ///< the grid holds logits, resampled as such

    /// [x.size(), queries]
    void row(std::int64_t at, std::vector<float>& scratch, std::span<float> to) const;
};

enum class Order : std::uint8_t { rows, columns };

/// Logits of the chosen queries.
[[nodiscard]] MaskGrid gather(NetworkAnswer const& answer, std::span<int const> queries, Order order);

/// The grid at another size: [y.size(), x.size(), queries].
[[nodiscard]] MaskGrid resample(MaskGrid const& grid, AxisTaps const& y, AxisTaps const& x);

/// The side to which Hugging Face's image processor brings all masks first.
inline constexpr std::int64_t kHuggingFaceSide = 384;

/// Mask probabilities at the picture's pixels by either code's way.
[[nodiscard]] MaskField probability_field(NetworkAnswer const& answer, std::span<int const> queries,
                                          SegmentGeometry const& geometry, SegmentRules rules);

}  // namespace vitrum
