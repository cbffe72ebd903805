// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor_view.h"

namespace vitrum {

/// One named tensor of a checkpoint. Its bytes lie in the mapped file (or in memory that the Checkpoint
/// keeps alive) and have been bounds-checked against shape and strides; they are not aligned.
struct CheckpointTensor {
    std::string name;  ///< path through the containers, joined by '.': "params_ema.conv_first.weight"
    ConstTensorView view;
};

/// A JSON file's leaves as text, by their paths: "backbone_config.num_heads.0", "id2label.17".
using Settings = std::map<std::string, std::string, std::less<>>;

/// Reads a JSON text. `name` is what errors call it.
[[nodiscard]] Settings parse_settings(std::string_view json, std::string const& name);

/// The tensors and plain values of a weights file: metadata is read, tensor bytes are not touched.
struct Checkpoint {
    std::filesystem::path path;
    std::string format;                         ///< "torch zip", "torch legacy", "pickle", "safetensors"
    std::vector<CheckpointTensor> tensors;      ///< in the file's order; names are unique
    std::map<std::string, std::string> values;  ///< plain scalars and strings beside them, by the same paths
    Settings config;                            ///< of a Hugging Face folder's config.json
    Settings preprocessor;                      ///< of its preprocessor_config.json, where there is one
    std::shared_ptr<void const> storage;        ///< keeps the bytes alive

    /// The tensor of that name, or null.
    [[nodiscard]] CheckpointTensor const* find(std::string_view name) const;
};

/// Opens a weights file of any supported format, told apart by its first bytes, never by its name; or a Hugging Face
/// model folder, by its own path or that of its config.json, index or weights.
/// Throws Error naming file, byte offset and reason for everything else: damaged files, tensors whose
/// extents leave the file, pickles that name anything but tensors and plain containers, a missing shard.
[[nodiscard]] Checkpoint open_checkpoint(std::filesystem::path const& path);

/// Throws Error where two tensors have one name.
void refuse_repeated_names(Checkpoint const& checkpoint);

/// The same for bytes in memory. `name` is what errors call them; `owner` keeps them alive.
[[nodiscard]] Checkpoint read_checkpoint(std::span<std::byte const> bytes, std::filesystem::path const& name,
                                         std::shared_ptr<void const> owner);

}  // namespace vitrum
