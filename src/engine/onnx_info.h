// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>

#include "importers/onnx.h"
#include "vitrum/model.h"

namespace vitrum {

[[nodiscard]] bool is_onnx_file(std::filesystem::path const& path);

/// The file with those of `--set`'s values that are extents which it names.
[[nodiscard]] std::shared_ptr<OnnxSource const> open_onnx_source(std::filesystem::path const& path,
                                                                 Overrides const& overrides);

/// The same of a file that is read already.
[[nodiscard]] std::shared_ptr<OnnxSource const> make_onnx_source(OnnxModel model, Overrides const& overrides);

/// Throws Error (usage) where one of `--set`'s values is neither `range` nor an extent that the file names. `why_not`:
/// why the file is not of the family that could take it; empty where there is none.
void require_extents(OnnxSource const& source, Overrides const& overrides, std::string const& why_not);

/// The values of `--set` that belong to no ONNX file as such: not `range`, and no extent's name.
[[nodiscard]] Overrides family_settings(OnnxModel const& model, Overrides const& overrides);

/// "ONNX, opset 17, from pytorch 2.11.0".
[[nodiscard]] std::string onnx_format(OnnxSource const& source);

/// The pixel values 0 … range that `--set range=` states.
[[nodiscard]] std::optional<double> stated_range(Overrides const& overrides);

/// What an ONNX file seems to be, by the graph at one size: a picture in and a larger or equal one out is restoring.
[[nodiscard]] ModelInfo onnx_info(OnnxSource const& source, Overrides const& overrides);

}  // namespace vitrum
