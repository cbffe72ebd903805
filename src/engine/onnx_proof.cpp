// SPDX-License-Identifier: Apache-2.0
#include "onnx_proof.h"

#include <limits>

#include "engine/made_up_picture.h"
#include "engine/normalised_error.h"

namespace vitrum {
namespace {

std::vector<float> outcome(Engine const& engine, Sizes const& sizes, double range) {
    Session session(engine);
    session.prepare(sizes);
    auto const shape = engine.inputs(sizes)[0].shape;
    // Not noise alone, in which the rounding errors of deep networks grow.
    fill_with_waves(session.input(), shape[2], shape[3], range);
    session.run();
    return {session.output().begin(), session.output().end()};
}

/// One picture in and one out.
bool is_alike(std::vector<TensorInfo> const& a, std::vector<TensorInfo> const& b) {
    return a.size() == 1 && b.size() == 1 && a[0].shape == b[0].shape && !a[0].as_stated && !b[0].as_stated &&
           !a[0].queries && !b[0].queries;
}

}  // namespace

OnnxProof::OnnxProof(std::shared_ptr<OnnxSource const> source, Sizes sizes, CompileOptions options)
    : source_(std::move(source)), sizes_(sizes), options_(std::move(options)) {
    options_.device = Device::cpu;
    options_.precision = Precision::fp32;
}

double OnnxProof::error(ModelInfo const& info, Graph const& graph) {
    Engine const own(std::make_shared<Engine::Data>(ModelInfo{}, source_, options_));
    Engine const other(std::make_shared<Engine::Data>(info, graph, options_));
    bool const fits = size_violation(info, sizes_).empty() && is_alike(own.inputs(sizes_), other.inputs(sizes_)) &&
                      is_alike(own.outputs(sizes_), other.outputs(sizes_));
    if (!fits) return std::numeric_limits<double>::infinity();
    if (range_ != info.value_range) {
        range_ = info.value_range;
        expected_ = outcome(own, sizes_, range_);
    }
    return normalised_error(outcome(other, sizes_, range_), expected_);
}

}  // namespace vitrum
