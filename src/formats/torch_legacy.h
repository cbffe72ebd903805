// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/checkpoint.h"
#include "source.h"

namespace vitrum {

/// Whether the file begins with the magic number that torch.save wrote before 1.6, at any pickle protocol.
[[nodiscard]] bool is_torch_legacy(ByteSpan bytes);

/// What torch.save wrote before 1.6: pickles of a magic number, a version, facts about the machine, the objects
/// and the storages' keys; then each storage in that order, its element count before its bytes.
[[nodiscard]] Checkpoint read_torch_legacy(Source const& source);

}  // namespace vitrum
