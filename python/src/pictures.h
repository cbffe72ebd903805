// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/ndarray.h>

#include "bindings.h"
#include "vitrum/image.h"

namespace vitrum::python {

/// A picture from an array [H, W] or [H, W, C] of uint8, uint16 or float32; C is 1 (grey), 2 (grey and alpha),
/// 3 (RGB) or 4 (RGB and alpha). Throws TypeError or UsageError for any other.
[[nodiscard]] Image image_from_array(nb::handle object);

/// The other way: [H, W, C].
[[nodiscard]] nb::object array_from_image(Image const& image);

}  // namespace vitrum::python
