// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/engine_data.h"

namespace vitrum {

/// Runs an ONNX file's own operators and another graph on one made-up picture.
class OnnxProof {
public:
    OnnxProof(std::shared_ptr<OnnxSource const> source, Sizes sizes, CompileOptions options);

    [[nodiscard]] Sizes const& sizes() const { return sizes_; }
    /// max |difference| / standard deviation. Pixels go a tenth beyond 0 and `range`, so that a limit there that one of
    /// both has shows. Infinite where inputs, outputs or their shapes differ, and for NaN.
    [[nodiscard]] double error(ModelInfo const& info, Graph const& graph);

private:
    std::shared_ptr<OnnxSource const> source_;
    Sizes sizes_;
    CompileOptions options_;
    double range_ = 0;  ///< of expected_
    std::vector<float> expected_;
};

}  // namespace vitrum
