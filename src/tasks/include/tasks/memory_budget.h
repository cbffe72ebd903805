// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "vitrum/engine.h"

namespace vitrum {

/// Bytes that activations may take while a picture of `picture_bytes` is still to be allocated: what the
/// limit on the process's resident memory leaves, or most of what the machine has free where `limit` is 0; of a
/// device's memory where the session runs on one. Nothing: no limit is known.
[[nodiscard]] std::optional<std::uint64_t> activation_budget(Session const& session, std::uint64_t picture_bytes,
                                                             std::uint64_t limit);

/// Of a budget that does not do: "12 MiB of the GPU's memory are left for the network; allow more (--memory), …".
[[nodiscard]] std::string too_little_memory(Session const& session, std::uint64_t budget);

}  // namespace vitrum
