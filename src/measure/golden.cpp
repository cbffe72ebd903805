// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdlib>
#include <span>
#include <string_view>

#include "base/check.h"
#include "base/tensor_view.h"
#include "compare_tensors.h"
#include "formats/checkpoint.h"
#include "output_values.h"
#include "vitrum/measure.h"

namespace vitrum {
namespace {

/// The tensors of a golden file whose names begin with `prefix`.
std::vector<CheckpointTensor const*> tensors_of(Checkpoint const& file, std::string_view prefix) {
    std::vector<CheckpointTensor const*> found;
    for (CheckpointTensor const& tensor : file.tensors) {
        if (tensor.name.starts_with(prefix)) found.push_back(&tensor);
    }
    return found;
}

/// The file's tensors in the order of the network's inputs or outputs. Where there is one of each the prefix is
/// enough; else the names decide.
std::vector<CheckpointTensor const*> matched(Checkpoint const& file, std::string_view prefix,
                                             std::vector<TensorInfo> const& wanted) {
    auto found = tensors_of(file, prefix);
    if (found.size() == 1 && wanted.size() == 1) return found;
    std::vector<CheckpointTensor const*> in_order;
    std::string names;
    for (TensorInfo const& info : wanted) {
        auto const it = std::ranges::find(found, info.name, &CheckpointTensor::name);
        if (it != found.end()) in_order.push_back(*it);
        names += (names.empty() ? "" : ", ") + info.name;
    }
    if (in_order.size() != wanted.size() || found.size() != wanted.size()) {
        fail("{} holds {} tensors named {}*; this network's are: {}", file.path.string(), found.size(), prefix, names);
    }
    return in_order;
}

/// PyTorch's shape of one of our activations: [N, C, H, W], or [N, Q, C] where a tensor of rank 3 was saved.
Shape torch_shape(TensorInfo const& info, int rank) {
    auto const& nhwc = info.shape;
    if (info.as_stated) return Shape(std::span<std::int64_t const>(nhwc));
    if (rank == 3 && nhwc[1] == 1) return {nhwc[0], nhwc[2], nhwc[3]};
    return {nhwc[0], nhwc[3], nhwc[1], nhwc[2]};
}

double recorded_noise(Checkpoint const& file) {
    for (auto const& [name, value] : file.values) {
        if (name.ends_with("float32_noise")) return std::strtod(value.c_str(), nullptr);
    }
    return 0;
}

/// The tensor's values in our order; queries [N, Q, C] and what keeps its layout are in it already.
void to_ours(ConstTensorView const& from, TensorInfo const& info, std::span<float> to) {
    if (info.as_stated || from.shape.rank() == 3) return copy_to_f32(from, to.data());
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

/// Numbers of other types are fed as they are, of the same type.
void feed(Checkpoint const& file, CheckpointTensor const& tensor, TensorInfo const& info, Session& session,
          std::size_t index) {
    if (info.dtype == "float32") return to_ours(tensor.view, info, session.input(index));
    auto const to = session.input_bytes(index);
    if (info.dtype != name_of(tensor.view.dtype) || !tensor.view.is_contiguous()) {
        fail("{}: tensor {} is {}, but the network takes {}", file.path.string(), tensor.name,
             name_of(tensor.view.dtype), info.dtype);
    }
    std::copy_n(tensor.view.data, to.size(), to.data());
}

void require_shape(Checkpoint const& file, CheckpointTensor const& tensor, TensorInfo const& info) {
    Shape const expected = torch_shape(info, tensor.view.shape.rank());
    if (tensor.view.shape == expected) return;
    fail("{}: tensor {} has the shape {}, but the network's is {}", file.path.string(), tensor.name,
         tensor.view.shape.str(), expected.str());
}

}  // namespace

/// The sizes of the network's picture in the file.
static Sizes golden_sizes(Checkpoint const& file, CheckpointTensor const& picture, bool as_stated) {
    Shape const& shape = picture.view.shape;
    if (as_stated)
        return {1, shape.rank() < 2 ? 1 : shape[shape.rank() - 2], shape.rank() < 1 ? 1 : shape[shape.rank() - 1]};
    if (shape.rank() != 4 || shape.checked_count().value_or(0) <= 0) {
        fail("{}: tensor {} has the shape {}; a picture is [N, C, H, W]", file.path.string(), picture.name,
             shape.str());
    }
    return {shape[0], shape[2], shape[3]};
}

double error_limit(Precision precision) {
    switch (precision) {
        case Precision::fp32: return 1e-4;
        case Precision::tf32: return 5e-3;
        case Precision::fp16: return 3e-2;
        case Precision::bf16: return 2e-1;
    }
    return 0;
}

GoldenReport verify_golden(Session& session, std::filesystem::path const& path, double tolerance) {
    Checkpoint const file = open_checkpoint(path);
    Engine const& engine = session.engine();
    auto const names = engine.inputs({});
    auto const inputs = matched(file, "input", names);
    Sizes const sizes = inputs.empty() ? Sizes{} : golden_sizes(file, *inputs.front(), names.front().as_stated);
    auto const input_infos = engine.inputs(sizes), output_infos = engine.outputs(sizes);
    auto const outputs = matched(file, "output", output_infos);
    for (std::size_t i = 0; i < inputs.size(); ++i) require_shape(file, *inputs[i], input_infos[i]);
    for (std::size_t i = 0; i < outputs.size(); ++i) require_shape(file, *outputs[i], output_infos[i]);

    session.prepare(sizes);
    for (std::size_t i = 0; i < inputs.size(); ++i) feed(file, *inputs[i], input_infos[i], session, i);
    session.run();

    GoldenReport report;
    report.float32_noise = recorded_noise(file);
    report.tolerance = tolerance > 0 ? tolerance : std::max(error_limit(engine.precision()), 16 * report.float32_noise);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        auto const made = output_values(session, output_infos[i], i);
        std::vector<float> expected(made.size());
        to_ours(outputs[i]->view, output_infos[i], expected);
        report.outputs.push_back(compare_tensors(outputs[i]->name, expected, made, engine.info().value_range));
    }
    report.passed = all_within(report.outputs, report.tolerance);
    return report;
}

}  // namespace vitrum
