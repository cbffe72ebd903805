// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "simd/isa.h"

namespace vitrum::cpu {

extern EntryTable<Dense> const kMatMul;

}  // namespace vitrum::cpu
