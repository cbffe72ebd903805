// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tasks/tile_network.h"
#include "vitrum/image.h"

namespace vitrum {

/// Runs a network on parts of a picture, whatever the two make of colour: a grey network restores red, green
/// and blue one after the other; of a grey picture's result from a colour network the luma is taken.
class RestoreTile final : public TileNetwork {
public:
    /// Throws Error (usage) for a network that does not turn grey or RGB into the same.
    RestoreTile(Session& session, Image const& picture);

    void prepare(std::int64_t height, std::int64_t width) override;
    /// Values in the network's range, as many channels as the picture has.
    [[nodiscard]] std::span<float const> run(std::int64_t y, std::int64_t x, Progress const& progress) override;
    [[nodiscard]] std::size_t bytes(std::int64_t height, std::int64_t width) const override;

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
