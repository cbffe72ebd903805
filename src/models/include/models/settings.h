// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "models/state_dict.h"

namespace vitrum {

/// What the folder's config.json says at a path, or nothing.
[[nodiscard]] std::optional<std::string> setting(StateDict const& dict, std::string_view path);
/// The same as a number. Throws Error where it is none.
[[nodiscard]] std::optional<double> number_setting(StateDict const& dict, std::string_view path);

/// Throws Error where config.json has another value at the path than the weights show.
void check_setting(StateDict const& dict, std::string_view path, std::int64_t in_weights, std::string_view evidence);

/// Throws Error where config.json has another value at the path than the only one that vitrum builds.
void demand_setting(StateDict const& dict, std::string_view path, std::string_view only);

}  // namespace vitrum
