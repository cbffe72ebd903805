// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace vitrum {

/// Whether no value is NaN or infinite.
[[nodiscard]] inline bool all_finite(std::span<float const> values) {
    // All exponent bits set means NaN or Inf; an OR over comparisons vectorises where isfinite() does not, and where
    // the compiler knows how often it goes round.
    constexpr std::size_t kBlock = 1024;
    auto const any_bad = [](float const* from, std::size_t count) {
        std::uint32_t bad = 0;
        for (std::size_t i = 0; i < count; ++i) {
            bad |= static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(from[i]) & 0x7F800000U) == 0x7F800000U);
        }
        return bad != 0;
    };
    while (values.size() >= kBlock) {
        if (any_bad(values.data(), kBlock)) return false;
        values = values.subspan(kBlock);
    }
    return !any_bad(values.data(), values.size());
}

}  // namespace vitrum
