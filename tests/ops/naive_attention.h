// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "window_attention_cases.h"

namespace vitrum::test {

/// Shifted-window attention the way that the original's PyTorch code goes (SwinIR, network_swinir.py): roll,
/// partition into windows, attend under a mask tensor made from a numbered picture, reverse, roll back.
[[nodiscard]] std::vector<double> naive_window_attention(WindowAttentionCase const& c, Values const& values);

}  // namespace vitrum::test
