// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "verb.h"

namespace vitrum::cli {

/// One verb: its options, and what to do once they are read. The result is the exit code.
struct Command {
    Verb verb;
    std::function<int()> run;
};

[[nodiscard]] Command add_run(CLI::App& root);
[[nodiscard]] Command add_inspect(CLI::App& root);
[[nodiscard]] Command add_compile(CLI::App& root);
[[nodiscard]] Command add_verify(CLI::App& root);
[[nodiscard]] Command add_bench(CLI::App& root);
[[nodiscard]] Command add_profile(CLI::App& root);
[[nodiscard]] Command add_doctor(CLI::App& root);

}  // namespace vitrum::cli
