// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace vitrum {

/// A parameter's name in published checkpoints. transformers 5 has other modules in memory, which exporters see, than
/// it saves; everything else is called the same.
[[nodiscard]] std::string published_name(std::string_view in_memory);

}  // namespace vitrum
