// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "formats/array.h"
#include "source.h"

namespace vitrum {

[[nodiscard]] bool is_npy(ByteSpan bytes);

/// NumPy's .npy, versions 1 to 3: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
[[nodiscard]] Array read_npy(ByteSpan bytes, std::string const& file);

/// What stands before the numbers of a little-endian float32 array in the order of C.
[[nodiscard]] std::string npy_header(Shape const& shape);

}  // namespace vitrum
