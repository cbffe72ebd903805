// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/onnx.h"

namespace vitrum {

/// Throws Error where the graph, or one inside of it, breaks a rule that its readers rely on: an unknown opset, a name
/// that is read before it is made (unsorted or cyclic graphs), made twice, or never made.
void check_onnx(OnnxModel const& model);

}  // namespace vitrum
