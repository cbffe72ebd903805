// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "vitrum/spectral.h"

namespace vitrum {

/// The wavelengths of a network's bands, in nm, which no checkpoint holds: 31 bands are those of the NTIRE challenges
/// and of ARAD (400 to 700 nm), 28 those of the CASSI benchmarks. Throws Error (usage) for another number.
[[nodiscard]] std::vector<double> wavelengths_of(ModelInfo const& info);

/// What comes out of a network, brought into a cube.
class CubeFiller {
public:
    CubeFiller(SpectralReport& report, bool clip) : report_(report), clip_(clip) {}

    /// `count` pixels of row y from column x on. Returns how many values were NaN or infinite.
    [[nodiscard]] std::int64_t fill(std::int64_t x, std::int64_t y, std::int64_t count, float const* pixels);

private:
    SpectralReport& report_;
    bool clip_;
};

}  // namespace vitrum
