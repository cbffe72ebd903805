// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "program.h"

namespace vitrum {

/// Asks the backend for kernels that do several of the program's steps at once: a step's `chain` does those behind it
/// as well, which then need it alone, while it needs what any of them does. Among the first `whole` steps, which make
/// whole values.
void find_chains(Program& program, Backend const& backend, std::size_t whole);

}  // namespace vitrum
