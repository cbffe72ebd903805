// SPDX-License-Identifier: Apache-2.0
#include "level_table.h"

#include <array>
#include <cmath>
#include <numbers>

namespace vitrum {
namespace {

constexpr std::array<std::int64_t, 3> kStrides = {32, 16, 8};

/// Channel c of the `channels` that tell index i of `size` apart.
double sine(std::int64_t i, std::int64_t size, std::int64_t c, std::int64_t channels) {
    double const angle = 2 * std::numbers::pi * static_cast<double>(i + 1) / (static_cast<double>(size) + 1e-6);
    double const scaled = angle / std::pow(10000.0, static_cast<double>(c / 2 * 2) / static_cast<double>(channels));
    return c % 2 == 0 ? std::sin(scaled) : std::cos(scaled);
}

/// What was added to the positions of one map [h·w, C]; nothing where it is not the same everywhere.
bool subtract_sines(float const* map, std::int64_t h, std::int64_t w, std::int64_t c_count, float* embedding) {
    constexpr double kRounding = 1e-5;
    std::int64_t const half = c_count / 2;
    for (std::int64_t c = 0; c < c_count; ++c) {
        double sum = 0, least = 0, most = 0;
        for (std::int64_t i = 0; i < h * w; ++i) {
            double const position = c < half ? sine(i / w, h, c, half) : sine(i % w, w, c - half, half);
            double const rest = static_cast<double>(map[i * c_count + c]) - position;
            sum += rest;
            least = i == 0 ? rest : std::min(least, rest);
            most = i == 0 ? rest : std::max(most, rest);
        }
        if (!(most - least < kRounding)) return false;
        embedding[c] = static_cast<float>(sum / static_cast<double>(h * w));
    }
    return true;
}

}  // namespace

std::optional<Constant> level_table(Constant const& positions, Sizes const& picture) {
    Shape const& shape = positions.shape;
    if (shape.rank() < 2 || positions.dtype != DType::f32) return std::nullopt;
    std::int64_t const c = shape[shape.rank() - 1], pixels = shape[shape.rank() - 2];
    auto const side = [](std::int64_t extent, std::int64_t stride) { return (extent + stride - 1) / stride; };
    std::int64_t expected = 0;
    for (std::int64_t const stride : kStrides) expected += side(picture.h, stride) * side(picture.w, stride);
    if (c % 4 != 0 || pixels != expected || shape.count() != pixels * c) return std::nullopt;
    auto const table = std::make_shared<std::vector<float>>(kStrides.size() * static_cast<std::size_t>(c));
    float const* map = positions.data;
    float* embedding = table->data();
    for (std::int64_t const stride : kStrides) {
        std::int64_t const h = side(picture.h, stride), w = side(picture.w, stride);
        if (!subtract_sines(map, h, w, c, embedding)) return std::nullopt;
        map += h * w * c;
        embedding += c;
    }
    return Constant{{std::ssize(kStrides), c}, table->data(), table};
}

}  // namespace vitrum
