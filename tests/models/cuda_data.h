// SPDX-License-Identifier: Apache-2.0
// The networks of tests/data for tests on GPUs, which may have been carried elsewhere.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "vitrum/engine.h"

namespace vitrum::test {

/// The environment's VITRUM_TEST_DATA, or the project's.
[[nodiscard]] std::filesystem::path data_folder();
[[nodiscard]] std::vector<std::string> cases();
[[nodiscard]] std::filesystem::path golden_of(std::string const& name);
[[nodiscard]] std::filesystem::path checkpoint_of(std::string const& name);
[[nodiscard]] Engine open_on_gpu(std::string const& name, int index, Precision precision);

/// Empty where there are so many GPUs.
[[nodiscard]] std::string const& why_no_gpu();
[[nodiscard]] std::string const& why_no_second_gpu();

}  // namespace vitrum::test
