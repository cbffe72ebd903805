// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "base/shape.h"

namespace vitrum {

/// A float32 tensor to write: packed, row-major.
struct NamedTensor {
    std::string name;
    Shape shape;
    float const* data;
};

/// Writes the tensors, in their order, beside `path` and then in its place, so that no one ever sees half a file.
void write_safetensors(std::filesystem::path const& path, std::span<NamedTensor const> tensors,
                       std::map<std::string, std::string> const& metadata = {});

}  // namespace vitrum
