// SPDX-License-Identifier: Apache-2.0
#include "onnx_proof.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vitrum {
namespace {

/// Waves, like the soft parts of photos, and a little noise: in noise alone rounding errors of deep networks grow.
void fill(std::span<float> picture, TensorInfo const& info, double range) {
    auto const width = static_cast<std::size_t>(info.shape[2]), channels = static_cast<std::size_t>(info.shape[3]);
    std::uint32_t state = 1;
    for (std::size_t i = 0; i < picture.size(); ++i) {
        auto const c = static_cast<double>(i % channels), x = static_cast<double>(i / channels % width),
                   y = static_cast<double>(i / channels / width);
        state = state * 1664525U + 1013904223U;  // Numerical Recipes' generator
        double const noise = static_cast<double>(state >> 8) / (1 << 24) - 0.5;
        picture[i] =
            static_cast<float>((0.5 + 0.5 * std::sin(0.35 * y + c) * std::cos(0.27 * x - c) + 0.2 * noise) * range);
    }
}

std::vector<float> outcome(Engine const& engine, Sizes const& sizes, double range) {
    Session session(engine);
    session.prepare(sizes);
    fill(session.input(), engine.inputs(sizes)[0], range);
    session.run();
    return {session.output().begin(), session.output().end()};
}

/// One picture in and one out.
bool is_alike(std::vector<TensorInfo> const& a, std::vector<TensorInfo> const& b) {
    return a.size() == 1 && b.size() == 1 && a[0].shape == b[0].shape && !a[0].as_stated && !b[0].as_stated &&
           !a[0].queries && !b[0].queries;
}

/// Infinite where a number is none.
double normalised_error(std::vector<float> const& made, std::vector<float> const& expected) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    double sum = 0, squares = 0, largest = 0;
    for (std::size_t i = 0; i < made.size(); ++i) {
        double const e = static_cast<double>(expected[i]), difference = std::fabs(static_cast<double>(made[i]) - e);
        if (!std::isfinite(difference)) return kInfinity;
        sum += e;
        squares += e * e;
        largest = std::max(largest, difference);
    }
    auto const count = static_cast<double>(expected.size());
    double const variance = squares / count - sum / count * (sum / count);
    return variance > 0 ? largest / std::sqrt(variance) : kInfinity;
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
