// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pickle_value.h"
#include "source.h"

namespace vitrum::pickle {

/// Reads one pickle (protocols 0 to 5) that starts at `begin`, with an interpreter that can build numbers, text,
/// containers and descriptions of tensors, and nothing else. Throws Error for everything else it is asked to do.
/// The result refers to the source's bytes.
[[nodiscard]] Document read(Source const& source, std::size_t begin = 0);

}  // namespace vitrum::pickle
