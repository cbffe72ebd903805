// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "simd/isa.h"

namespace vitrum::cpu {

extern EntryTable<Dense> const kMatMul;
extern EntryTable<Dense> const kSoftmax;  ///< over the last axis
extern EntryTable<Dense> const kUnary;    ///< gelu, sigmoid and swish

}  // namespace vitrum::cpu
