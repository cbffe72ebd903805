// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "vitrum/engine.h"

namespace vitrum {

/// A network that runs on parts of a picture.
class TileNetwork {
public:
    virtual ~TileNetwork() = default;

    virtual void prepare(std::int64_t height, std::int64_t width) = 0;
    /// Runs the prepared height and width from input pixel (y, x) on; what lies beyond the picture is mirrored.
    /// The result is [height · scale, width · scale, channels], valid until the next call. Progress is of this tile.
    [[nodiscard]] virtual std::span<float const> run(std::int64_t y, std::int64_t x, Progress const& progress) = 0;
    /// Bytes beside the session's that tiles of this size take.
    [[nodiscard]] virtual std::size_t bytes(std::int64_t height, std::int64_t width) const = 0;
};

/// The pixel that stands for pixel i of an axis: itself, or its mirror image at the last one (not repeated).
[[nodiscard]] inline std::int64_t mirrored(std::int64_t i, std::int64_t length) {
    if (i >= length) i = 2 * (length - 1) - i;
    return std::clamp<std::int64_t>(i, 0, length - 1);
}

}  // namespace vitrum
