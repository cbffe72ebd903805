// SPDX-License-Identifier: Apache-2.0
#include "onnx_engine.h"

#include "base/check.h"
#include "engine/engine_file_format.h"
#include "onnx_info.h"
#include "onnx_recognise.h"

namespace vitrum {

std::shared_ptr<Engine::Data> open_onnx(std::filesystem::path const& path, CompileOptions const& options,
                                        Overrides const& overrides) {
    auto source = open_onnx_source(path, overrides);
    Recognised recognised = recognise_onnx(source, overrides, options);
    if (recognised.graph) {
        return std::make_shared<Engine::Data>(std::move(recognised.info), std::move(*recognised.graph), options);
    }
    require_extents(*source, overrides, recognised.why_not);
    ModelInfo info = onnx_info(*source, overrides);
    if (!recognised.why_not.empty()) info.notes.push_back("not recognised as " + recognised.why_not);
    auto data = std::make_shared<Engine::Data>(std::move(info), std::move(source), options);
    data->onnx_settings = overrides;
    return data;
}

/// Without trying to recognise a family: that was done when the file was written, and is not what it was written as.
std::shared_ptr<Engine::Data> load_onnx(StoredOnnx file, std::filesystem::path const& path,
                                        CompileOptions const& options) {
    auto source = make_onnx_source(read_onnx(file.bytes, path, file.owner, file.beside), file.settings);
    require_extents(*source, file.settings, "");
    ModelInfo info = onnx_info(*source, file.settings);
    info.format = kEngineFileFormat;
    info.notes = std::move(file.notes);
    auto data = std::make_shared<Engine::Data>(std::move(info), std::move(source), options);
    data->onnx_settings = std::move(file.settings);
    return data;
}

StoredOnnx stored(Engine::Data const& data) {
    OnnxModel const& model = data.onnx->model();
    return {.bytes = model.bytes,
            .beside = model.beside,
            .settings = data.onnx_settings,
            .notes = data.info.notes,
            .owner = data.onnx};
}

}  // namespace vitrum
