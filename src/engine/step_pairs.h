// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "program.h"

namespace vitrum {

/// Asks the backend for kernels that do two of the program's steps at once: a step's `pair` does the next one as well.
void find_pairs(Program& program, Backend const& backend);

}  // namespace vitrum
