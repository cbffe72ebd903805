// SPDX-License-Identifier: Apache-2.0
#include "bands.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace vitrum {

std::vector<double> wavelengths_of(ModelInfo const& info) {
    constexpr int kNtireBands = 31, kCassiBands = 28;
    if (info.out_channels == kNtireBands) {
        std::vector<double> nm;
        for (int band = 0; band < kNtireBands; ++band) nm.push_back(400 + 10 * band);
        return nm;
    }
    if (info.out_channels == kCassiBands) {
        // Of the KAIST and CAVE scenes as sampled for CASSI: caiyuanhao1998/MST, visualization/show_simulation.m.
        return {453.5, 457.5, 462.0, 466.0, 471.5, 476.5, 481.5, 487.0, 492.5, 498.0, 504.0, 510.0, 516.0, 522.5,
                529.5, 536.5, 544.0, 551.5, 558.5, 567.5, 575.5, 584.5, 594.5, 604.0, 614.5, 625.0, 636.5, 648.0};
    }
    fail_as(ErrorKind::usage,
            "{} gives {} bands, whose wavelengths are not known; 31 (400 to 700 nm) and 28 (CASSI) are", info.variant,
            info.out_channels);
}

std::int64_t CubeFiller::fill(std::int64_t x, std::int64_t y, std::int64_t count, float const* pixels) {
    Cube& cube = report_.cube;
    float* to = cube.values().data() + (y * cube.width() + x) * cube.bands();
    std::int64_t non_finite = 0;
    for (std::int64_t i = 0; i < count * cube.bands(); ++i) {
        float const value = pixels[i];
        if (!std::isfinite(value)) ++non_finite;
        float const inside = std::clamp(value, 0.0F, 1.0F);
        if (inside != value) ++report_.clipped;
        to[i] = clip_ ? inside : value;
    }
    return non_finite;
}

}  // namespace vitrum
