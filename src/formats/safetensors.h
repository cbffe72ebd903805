// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/checkpoint.h"
#include "source.h"

namespace vitrum {

/// Whether the file begins as safetensors does: a length and a JSON object.
[[nodiscard]] bool is_safetensors(ByteSpan bytes);

/// A JSON header of names, types, shapes and byte ranges, then the bytes.
[[nodiscard]] Checkpoint read_safetensors(Source const& source);

}  // namespace vitrum
