// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "models/state_dict.h"

namespace vitrum {

/// A convolution's weight [O, …] and bias [O].
struct ConvConstants {
    Constant weight, bias;
};

enum class ConvBias : std::uint8_t { absent, present };

/// The convolution `conv` (".weight" of that shape, ".bias" where present) with the batch norm `norm` behind it
/// (".weight",
/// ".bias", ".running_mean", ".running_var") folded into it: the graph never holds a batch norm.
[[nodiscard]] ConvConstants get_conv_with_batch_norm(Weights& weights, std::string const& conv, Shape const& shape,
                                                     ConvBias bias, std::string const& norm, double epsilon = 1e-5);

}  // namespace vitrum
