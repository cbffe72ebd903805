// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "vitrum/error.h"
#include "vitrum/model.h"

// What tests of detecting a network ask of a file.

namespace vitrum {

inline std::filesystem::path data(std::string const& name) {
    return std::filesystem::path(VITRUM_TEST_DATA) / name;
}

/// A hyperparameter as it was read, "absent" where there is none of the name.
inline std::string value_of(ModelInfo const& info, std::string const& name) {
    auto const found = std::ranges::find(info.hyperparameters, name, &Hyperparameter::name);
    return found == info.hyperparameters.end() ? "absent" : found->value;
}

/// Why the file is refused, "accepted" where it is not.
inline std::string refusal(std::filesystem::path const& path, Overrides const& overrides = {}) {
    try {
        (void)Model::load(path, overrides);
    } catch (Error const& error) {
        return error.what();
    }
    return "accepted";
}

inline void expect_in(std::string const& text, std::string const& part) {
    EXPECT_NE(text.find(part), std::string::npos) << "\"" << part << "\" is not in: " << text;
}

/// A folder of the tests' data with one piece of its config.json replaced, until the end of its life.
class EditedFolder {
public:
    EditedFolder(std::string const& name, std::string const& from, std::string const& to)
        : path(std::filesystem::path(testing::TempDir()) /
               (std::string("vitrum_") + testing::UnitTest::GetInstance()->current_test_info()->name())) {
        std::filesystem::remove_all(path);
        std::filesystem::copy(data(name), path);
        auto const file = path / "config.json";
        std::ifstream in(file);
        std::string text(std::istreambuf_iterator<char>(in), {});
        auto const at = text.find(from);
        EXPECT_NE(at, std::string::npos) << from;
        text.replace(at, from.size(), to);
        std::filesystem::permissions(file, std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
        std::ofstream(file) << text;
    }
    ~EditedFolder() { std::filesystem::remove_all(path); }
    EditedFolder(EditedFolder const&) = delete;
    EditedFolder& operator=(EditedFolder const&) = delete;

    std::filesystem::path path;
};

}  // namespace vitrum
