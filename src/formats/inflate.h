// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "source.h"

namespace vitrum {

/// Decompresses one zlib stream. Throws Error where it is damaged, cut short or inflates to more than 8 GiB.
[[nodiscard]] std::vector<std::byte> inflate_zlib(ByteSpan compressed, std::string const& file);

}  // namespace vitrum
