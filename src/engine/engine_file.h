// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "vitrum/model.h"
#include "vitrum/precision.h"

namespace vitrum {

// A `.vitrum` file: everything that compile() found out about a model, ready to map.
//
//   offset 0   "\x89VITRUM\n" (8 bytes)
//          8   version, u32 little-endian; readers refuse newer ones
//         12   reserved, u32, 0
//         16   header size in bytes, u64          24   XXH3-64 of the header
//         32   data size in bytes, u64            40   XXH3-64 of the data
//         48   header: JSON (model, graph, precision; a constant is a shape and an offset into the data)
//   64-aligned data: canonical float32 weights, each 64-byte aligned
//
// An ONNX graph is made anew for each size. Instead of model and graph, the header (of version 2) then names where the
// ONNX file lies in the data, and the files beside it that its tensors are in, with what it was opened with.
//
// Weights are stored in canonical form only: packing them again takes milliseconds, and a file without packed
// sections fits every machine.

/// An ONNX file inside of an engine file.
struct StoredOnnx {
    std::span<std::byte const> bytes;
    std::map<std::string, std::span<std::byte const>, std::less<>> beside;  ///< by the names that it gives them
    Overrides settings;
    std::vector<std::string> notes;     ///< of ModelInfo; the rest of which follows from the file
    std::shared_ptr<void const> owner;  ///< keeps the bytes alive
};

struct EngineFile {
    ModelInfo info{};
    Graph graph{};
    Precision precision = Precision::fp32;  ///< that it was compiled for
    std::optional<StoredOnnx> onnx{};       ///< in place of description and graph
};

[[nodiscard]] bool is_engine_file(std::filesystem::path const& path);
/// Throws Error: truncated, altered, newer, or a graph that breaks a rule of the IR.
[[nodiscard]] EngineFile read_engine_file(std::filesystem::path const& path);
/// The part behind the checksums: header text and data of one engine. Throws Error, without a file name.
[[nodiscard]] EngineFile parse_engine(std::span<std::byte const> header, std::span<std::byte const> data,
                                      std::shared_ptr<void const> const& owner);
/// Writes whole or not at all.
void write_engine_file(std::filesystem::path const& path, EngineFile const& engine);

}  // namespace vitrum
