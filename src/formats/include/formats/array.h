// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/shape.h"

namespace vitrum {

/// A dense array of numbers from a file, as float32, the last index running fastest.
struct Array {
    std::string name;  ///< the variable's, where the format names it
    Shape shape;
    std::vector<float> values;
};

/// Reads a NumPy .npy file or a MATLAB .mat file (5 to 7.3), told apart by their first bytes. Of several
/// variables in a .mat file `variable` is taken; without a name the only array of numbers with at least two
/// extents above one. Throws Error: damaged, cut short, more than 2^30 numbers, complex, sparse or no numbers.
[[nodiscard]] Array read_array(std::filesystem::path const& path, std::string_view variable = {});
/// The same from memory; `file` stands for the file in error texts.
[[nodiscard]] Array read_array(std::span<std::byte const> bytes, std::string const& file,
                               std::string_view variable = {});

/// Whether the first bytes are those of a format that read_array() knows.
[[nodiscard]] bool looks_like_array(std::span<std::byte const> bytes);

}  // namespace vitrum
