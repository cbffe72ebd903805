// SPDX-License-Identifier: Apache-2.0
#include "tasks/restore_tile.h"

#include <algorithm>

#include "base/check.h"
#include "image/convert.h"

namespace vitrum {
RestoreTile::RestoreTile(Session& session, Image const& picture)
    : session_(session),
      picture_(picture),
      network_channels_(session.engine().info().in_channels),
      range_(static_cast<float>(session.engine().info().value_range)) {
    ModelInfo const& info = session.engine().info();
    if (info.in_channels != info.out_channels || (info.in_channels != 1 && info.in_channels != 3)) {
        fail_as(ErrorKind::usage, "{} turns {} channels into {}; restoring pictures needs a model for grey or RGB",
                info.variant, info.in_channels, info.out_channels);
    }
}

std::size_t RestoreTile::bytes(std::int64_t height, std::int64_t width) const {
    if (network_channels_ == picture_.channels()) return 0;
    std::int64_t const scale = session_.engine().info().scale;
    return static_cast<std::size_t>(height * scale * width * scale * picture_.channels()) * sizeof(float);
}

void RestoreTile::prepare(std::int64_t height, std::int64_t width) {
    height_ = height;
    width_ = width;
    session_.prepare({1, height, width});
    result_.resize(bytes(height, width) / sizeof(float));
    rgb_row_.resize(static_cast<std::size_t>(width * 3));
}

std::span<float const> RestoreTile::run(std::int64_t y, std::int64_t x, Progress const& progress) {
    bool const channel_by_channel = network_channels_ == 1 && picture_.channels() == 3;
    int const runs = channel_by_channel ? 3 : 1;
    for (int channel = 0; channel < runs; ++channel) {
        fill_input(y, x, channel);
        session_.run_checked([&](double fraction) { return !progress || progress((channel + fraction) / runs); });
        if (channel_by_channel) keep_channel(session_.output(), channel);
    }
    if (channel_by_channel) return result_;
    if (network_channels_ == picture_.channels()) return session_.output();
    keep_luma(session_.output());
    return result_;
}

void RestoreTile::fill_input(std::int64_t y, std::int64_t x, int channel) {
    std::span<float> const input = session_.input();
    std::int64_t const row_floats = width_ * network_channels_;
    for (std::int64_t row = 0; row < height_; ++row) {
        fill_row(mirrored(y + row, picture_.height()), x, channel, input.data() + row * row_floats);
    }
    if (range_ != 1.0F) {
        for (float& value : input) value *= range_;
    }
}

void RestoreTile::fill_row(std::int64_t y, std::int64_t x, int channel, float* to) {
    bool const one_of_three = network_channels_ == 1 && picture_.channels() == 3;
    int const channels = one_of_three ? 3 : network_channels_;
    float* const row = one_of_three ? rgb_row_.data() : to;
    std::int64_t const inside = std::min(width_, picture_.width() - x);
    colour_to_float(picture_, {x, y, inside, 1}, channels, channels, row);
    for (std::int64_t column = inside; column < width_; ++column) {
        Region const mirror{mirrored(x + column, picture_.width()), y, 1, 1};
        colour_to_float(picture_, mirror, channels, channels, row + column * channels);
    }
    if (!one_of_three) return;
    for (std::int64_t column = 0; column < width_; ++column) to[column] = row[column * 3 + channel];
}

void RestoreTile::keep_channel(std::span<float const> output, int channel) {
    for (std::size_t i = 0; i < output.size(); ++i) result_[i * 3 + static_cast<std::size_t>(channel)] = output[i];
}

void RestoreTile::keep_luma(std::span<float const> output) {
    for (std::size_t i = 0; i < result_.size(); ++i) {
        result_[i] = 0.299F * output[i * 3] + 0.587F * output[i * 3 + 1] + 0.114F * output[i * 3 + 2];
    }
}

}  // namespace vitrum
