// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "vitrum/engine.h"
#include "vitrum/image.h"

namespace vitrum {

/// Runs a network on parts of a picture, whatever the two make of colour: a grey network restores red, green
/// and blue one after the other; of a grey picture's result from a colour network the luma is taken.
class NetworkTile {
public:
    /// Throws Error (usage) for a network that does not turn grey or RGB into the same.
    NetworkTile(Session& session, Image const& picture);

    void prepare(std::int64_t height, std::int64_t width);

    /// Restores the prepared height and width from (y, x) on. What lies beyond the picture is mirrored.
    /// The result is [height · scale, width · scale, picture channels] in the network's range, valid until
    /// the next call. Progress is of this tile.
    [[nodiscard]] std::span<float const> run(std::int64_t y, std::int64_t x, Progress const& progress = nullptr);

    /// Bytes beside the session's that tiles of this size take.
    [[nodiscard]] std::size_t bytes(std::int64_t height, std::int64_t width) const;

private:
    void fill_input(std::int64_t y, std::int64_t x, int channel);
    void fill_row(std::int64_t y, std::int64_t x, int channel, float* to);
    void keep_channel(std::span<float const> output, int channel);
    void keep_luma(std::span<float const> output);

    Session& session_;
    Image const& picture_;
    int network_channels_;
    float range_;
    std::int64_t height_ = 0, width_ = 0;
    std::vector<float> result_;  ///< where the network's channels are not the picture's
    std::vector<float> rgb_row_;
};

}  // namespace vitrum
