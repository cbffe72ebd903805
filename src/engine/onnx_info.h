// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "importers/onnx.h"
#include "vitrum/model.h"

namespace vitrum {

[[nodiscard]] bool is_onnx_file(std::filesystem::path const& path);

/// Of `--set`'s values those that are extents: all but `range`.
[[nodiscard]] std::map<std::string, std::int64_t> onnx_extents(Overrides const& overrides);

/// What an ONNX file seems to be, by the graph at one size: a picture in and a larger or equal one out is restoring.
[[nodiscard]] ModelInfo onnx_info(OnnxSource const& source, Overrides const& overrides);

}  // namespace vitrum
