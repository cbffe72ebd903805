// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace vitrum {

/// Values of `--set name=value`. All throw Error (usage) naming the setting and what it takes.
[[nodiscard]] float positive_number(std::pair<std::string const, std::string> const& setting);
/// Exactly `count` numbers, separated by commas.
[[nodiscard]] std::vector<float> number_list(std::pair<std::string const, std::string> const& setting,
                                             std::size_t count);
/// "yes" or "no".
[[nodiscard]] bool yes_or_no(std::pair<std::string const, std::string> const& setting);

}  // namespace vitrum
