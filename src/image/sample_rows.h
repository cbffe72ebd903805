// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace vitrum::image {

/// to_sample(value · white), and 0 for values that are NaN or infinite; returns how many those are.
[[nodiscard]] std::int64_t samples_from_float(float const* from, std::int64_t count, std::uint8_t* to);
[[nodiscard]] std::int64_t samples_from_float(float const* from, std::int64_t count, std::uint16_t* to);

}  // namespace vitrum::image
