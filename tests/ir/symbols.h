// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ir/dim.h"

namespace vitrum {

inline Dim const kN{Symbol::n};
inline Dim const kH{Symbol::h};
inline Dim const kW{Symbol::w};

}  // namespace vitrum
