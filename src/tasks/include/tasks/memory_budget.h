// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "vitrum/engine.h"

namespace vitrum {

/// Bytes that activations may take while a picture of `picture_bytes` is still to be allocated: what the
/// limit on the process's resident memory leaves, or most of what the machine has free where `limit` is 0; of a
/// device's memory where the session runs on one. Nothing: no limit is known.
[[nodiscard]] std::optional<std::uint64_t> activation_budget(Session const& session, std::uint64_t picture_bytes,
                                                             std::uint64_t limit);

}  // namespace vitrum
