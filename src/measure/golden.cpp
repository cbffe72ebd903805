// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <span>
#include <string_view>

#include "base/check.h"
#include "base/tensor_view.h"
#include "formats/checkpoint.h"
#include "vitrum/measure.h"

namespace vitrum {
namespace {

/// The tensors of a golden file whose names begin with `prefix`: raw network tensors, [N, C, H, W].
std::vector<CheckpointTensor const*> tensors_of(Checkpoint const& file, std::string_view prefix) {
    std::vector<CheckpointTensor const*> found;
    for (CheckpointTensor const& tensor : file.tensors) {
        if (!tensor.name.starts_with(prefix)) continue;
        if (tensor.view.shape.rank() != 4) {
            fail("{}: tensor {} has the shape {}; golden tensors are [N, C, H, W]", file.path.string(), tensor.name,
                 tensor.view.shape.str());
        }
        found.push_back(&tensor);
    }
    return found;
}

/// The one tensor of that prefix; the networks known so far take one picture and give one.
CheckpointTensor const& only_tensor(Checkpoint const& file, std::string_view prefix) {
    auto const found = tensors_of(file, prefix);
    if (found.size() != 1) {
        fail("{} holds {} tensors named {}*; this network needs exactly one", file.path.string(), found.size(), prefix);
    }
    return *found.front();
}

double recorded_noise(Checkpoint const& file) {
    for (auto const& [name, value] : file.values) {
        if (name.ends_with("float32_noise")) return std::strtod(value.c_str(), nullptr);
    }
    return 0;
}

void nchw_to_nhwc(ConstTensorView const& from, std::span<float> to) {
    std::vector<float> planes(to.size());
    copy_to_f32(from, planes.data());
    std::int64_t const n = from.shape[0], c = from.shape[1], pixels = from.shape[2] * from.shape[3];
    for (std::int64_t in = 0; in < n; ++in) {
        for (std::int64_t ic = 0; ic < c; ++ic) {
            float const* const plane = planes.data() + (in * c + ic) * pixels;
            for (std::int64_t i = 0; i < pixels; ++i)
                to[static_cast<std::size_t>((in * pixels + i) * c + ic)] = plane[i];
        }
    }
}

void require_shape(Checkpoint const& file, CheckpointTensor const& tensor, Shape const& expected) {
    if (tensor.view.shape == expected) return;
    fail("{}: tensor {} has the shape {}, but the network's is {}", file.path.string(), tensor.name,
         tensor.view.shape.str(), expected.str());
}

double median_of(std::vector<double>& values) {
    auto const middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    return *middle;
}

struct Moments {
    double mean = 0, deviation = 0;
};

Moments moments_of(std::span<float const> values) {
    double sum = 0, squares = 0;
    for (float const value : values) sum += value;
    double const mean = sum / static_cast<double>(values.size());
    for (float const value : values) squares += (value - mean) * (value - mean);
    return {mean, std::sqrt(squares / static_cast<double>(values.size()))};
}

TensorComparison compare(std::string name, std::span<float const> expected, std::span<float const> actual,
                         double value_range) {
    TensorComparison result;
    result.name = std::move(name);
    result.count = static_cast<std::int64_t>(expected.size());
    std::vector<double> absolute, relative;
    absolute.reserve(expected.size());
    relative.reserve(expected.size());
    double squares = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        if (!std::isfinite(actual[i])) {
            ++result.non_finite;
            continue;
        }
        double const wanted = expected[i], error = std::abs(wanted - static_cast<double>(actual[i]));
        absolute.push_back(error);
        relative.push_back(error / std::max(std::abs(wanted), 1e-12));
        squares += error * error;
    }
    if (absolute.empty()) return result;
    double const finite = static_cast<double>(absolute.size());
    for (double const error : absolute) result.absolute_mean += error / finite;
    for (double const error : relative) result.relative_mean += error / finite;
    result.absolute_max = *std::ranges::max_element(absolute);
    result.relative_max = *std::ranges::max_element(relative);
    result.absolute_median = median_of(absolute);
    result.relative_median = median_of(relative);
    result.normalised = result.absolute_max == 0 ? 0 : result.absolute_max / moments_of(expected).deviation;
    result.psnr_db = 10 * std::log10(value_range * value_range / (squares / finite));
    return result;
}

}  // namespace

GoldenReport verify_golden(Session& session, std::filesystem::path const& path, double tolerance) {
    Checkpoint const file = open_checkpoint(path);
    CheckpointTensor const& input = only_tensor(file, "input");
    CheckpointTensor const& output = only_tensor(file, "output");
    ModelInfo const& info = session.engine().info();
    Shape const shape = input.view.shape;
    require_shape(file, input, {shape[0], info.in_channels, shape[2], shape[3]});
    if (shape.checked_count().value_or(0) <= 0) fail("{}: tensor {} is empty", path.string(), input.name);
    Sizes const sizes{shape[0], shape[2], shape[3]};
    auto const given = session.engine().output_shape(sizes);
    require_shape(file, output, {given[0], given[3], given[1], given[2]});

    session.prepare(sizes);
    nchw_to_nhwc(input.view, session.input());
    session.run();
    std::vector<float> expected(session.output().size());
    nchw_to_nhwc(output.view, expected);

    GoldenReport report;
    report.tolerance = tolerance > 0 ? tolerance : std::max(1e-4, 16 * recorded_noise(file));
    report.outputs.push_back(compare(output.name, expected, session.output(), info.value_range));
    report.passed = std::ranges::all_of(report.outputs, [&](TensorComparison const& c) {
        return c.non_finite == 0 && c.normalised <= report.tolerance;
    });
    return report;
}

}  // namespace vitrum
