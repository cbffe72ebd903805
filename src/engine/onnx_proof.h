// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "engine/engine_data.h"

namespace vitrum {

/// DESIGN's limit for float32.
constexpr double kMostError = 1e-4;

/// Runs an ONNX file's own operators and another graph on one made-up picture.
class OnnxProof {
public:
    OnnxProof(std::shared_ptr<OnnxSource const> source, CompileOptions options);

    /// max |difference| / standard deviation of the output that differs most. Pixels go a tenth beyond 0 and `range`,
    /// so that a limit there that one of both has shows. Infinite where inputs, outputs or their shapes differ, for
    /// NaN, and where the file takes no size that was tried. Where the network's arithmetic depends on its size,
    /// the least of several sizes.
    [[nodiscard]] double error(ModelInfo const& info, Graph const& graph);
    /// The family's graph, not optimised yet, with values of it as further outputs that equal the file's further ones
    /// (features that Hugging Face's networks give beside their results); as it was where one is not among its values.
    [[nodiscard]] Graph with_further_outputs(ModelInfo const& info, Graph const& graph);
    /// Of the picture that the last answer is about.
    [[nodiscard]] Sizes const& sizes() const { return sizes_; }

private:
    using Outputs = std::vector<std::vector<float>>;
    /// What the file's operators gave.
    struct Expected {
        Sizes sizes;
        double range = 0;
        std::optional<Outputs> outputs;  ///< nothing: the file does not take the size
        std::vector<TensorInfo> infos;
    };
    [[nodiscard]] std::optional<Graph> with_outputs_of(ModelInfo const& info, Graph const& graph, Expected const& file);
    Expected const& expected(Sizes const& sizes, double range, std::vector<TensorInfo> const& inputs);
    [[nodiscard]] static double difference(Engine const& family, Expected const& file);
    [[nodiscard]] Expected run_file(Sizes const& sizes, double range, std::vector<TensorInfo> const& inputs) const;

    std::shared_ptr<OnnxSource const> source_;
    CompileOptions options_;
    Sizes sizes_{};
    std::vector<Expected> expected_;
};

}  // namespace vitrum
