// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <span>

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
// Weights are stored in canonical form only: packing them again takes milliseconds, and a file without packed
// sections fits every machine.

struct EngineFile {
    ModelInfo info;
    Graph graph;
    Precision precision = Precision::fp32;  ///< that it was compiled for
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
