// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace vitrum::cli {

/// A picture to work on.
struct Input {
    std::filesystem::path path;
    std::filesystem::path relative;  ///< below the folder that was named; else the file's name
    bool searched = false;           ///< found in a folder, not named by the user
};

/// Whether a name's extension is that of a picture format that vitrum reads.
[[nodiscard]] bool has_picture_extension(std::filesystem::path const& path);

/// The pictures that files, folders and glob patterns stand for, each once, those of a folder by name.
/// Hidden files, and what lies below `leave_out` (the output folder), are not searched for; `wanted` tells by
/// their names which files of a folder are taken.
/// Throws Error for a name that is nothing, a pattern without a match, a folder without a picture.
[[nodiscard]] std::vector<Input> collect_inputs(std::vector<std::string> const& names, bool recursive,
                                                std::filesystem::path const& leave_out,
                                                bool (*wanted)(std::filesystem::path const&) = has_picture_extension);

}  // namespace vitrum::cli
