// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "program.h"

namespace vitrum {

/// Sets for each step of a run which earlier ones it has to wait for, since one of the two writes memory that the other
/// touches; and which steps are the last ones. Steps are counted without those of `once`. Who has ended anyway when
/// others have is left out.
void find_needs(Program& program);

}  // namespace vitrum
