// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "vitrum/image.h"

namespace vitrum {

struct CommandResult {
    int exit_code = -1;  ///< 128 + signal where a signal ended it
    std::string out, err;
};

/// Runs the built `vitrum` in a folder of the test's own, with a tiny ×2 model in it.
class CommandTest : public testing::Test {
protected:
    CommandTest();
    ~CommandTest() override;

    [[nodiscard]] CommandResult vitrum(std::vector<std::string> const& arguments) const;
    /// Starts it and does not wait; finish() does.
    [[nodiscard]] pid_t start(std::vector<std::string> const& arguments) const;
    [[nodiscard]] CommandResult finish(pid_t process) const;

    [[nodiscard]] std::string at(std::string const& name) const { return (folder_ / name).string(); }
    /// A picture of noise, saved under that name.
    void picture(std::string const& name, std::int64_t width = 24, std::int64_t height = 16, bool alpha = false) const;
    void text_file(std::string const& name, std::string const& text) const;
    /// Names of all files below the folder, the model left out, sorted.
    [[nodiscard]] std::vector<std::string> files(std::string const& below = "") const;

    std::filesystem::path folder_;
    std::string model_;
};

}  // namespace vitrum
