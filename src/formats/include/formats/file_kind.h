// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace vitrum {

/// What a model file is, by its first bytes and never by its name.
enum class FileKind : std::uint8_t { zip, torch_legacy, pickle, safetensors, onnx, engine, other };

[[nodiscard]] FileKind file_kind(std::span<std::byte const> bytes);

/// For a file that holds no weights: what it seems to be and what to do about it, as the second half of a
/// sentence ("a Git LFS pointer, not the weights; run: git lfs pull").
[[nodiscard]] std::string describe_other_file(std::span<std::byte const> bytes);

}  // namespace vitrum
