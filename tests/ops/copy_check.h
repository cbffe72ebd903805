// SPDX-License-Identifier: Apache-2.0
// Copies between tensors of other strides and types (Queue::copy), by whoever does them.
#pragma once

#include <functional>
#include <span>

#include "backends/memory.h"

namespace vitrum::test {

/// Copies between tensors whose memory is all of these bytes, on the host; returns what was noted (Fault).
using Copier = std::function<std::uint32_t(TensorView const& to, std::span<std::byte> to_memory, TensorView const& from,
                                           std::span<std::byte const> from_memory)>;

/// By a queue of a device's memory, which must stay.
[[nodiscard]] Copier copier_of(Memory& memory);

/// Every layout and type against a loop over elements; what lies between elements must stay.
void check_copies(Copier const& copy);

/// What is not finite, or is not any more, is noted; nothing else is.
void check_noted_faults(Copier const& copy);

}  // namespace vitrum::test
