// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>

#include "formats/checkpoint.h"
#include "pickle_value.h"
#include "source.h"

namespace vitrum::pickle {

/// The bytes that a storage reference names (of the whole storage, for a slice of one too), or nothing.
using FindStorage = std::function<std::optional<ByteSpan>(Storage const&)>;

/// Walks the pickle's containers and gives every tensor and plain value its name, the path of keys to it. Each
/// tensor's type, offset, extents and strides are checked against the bytes of its storage.
[[nodiscard]] Checkpoint name_tensors(Source const& source, std::string format, Document const& document,
                                      FindStorage const& find_storage);

}  // namespace vitrum::pickle
