// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/engine_data.h"
#include "engine_file.h"

namespace vitrum {

/// As the family that the file holds, or else as the operators that it spells out.
[[nodiscard]] std::shared_ptr<Engine::Data> open_onnx(std::filesystem::path const& path, CompileOptions const& options,
                                                      Overrides const& overrides);

/// As the operators that a file inside of the engine file at `path` spells out. Throws Error.
[[nodiscard]] std::shared_ptr<Engine::Data> load_onnx(StoredOnnx file, std::filesystem::path const& path,
                                                      CompileOptions const& options);

/// What an engine file keeps of such an engine.
[[nodiscard]] StoredOnnx stored(Engine::Data const& data);

}  // namespace vitrum
