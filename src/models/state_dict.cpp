// SPDX-License-Identifier: Apache-2.0
#include "models/state_dict.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/buffer.h"
#include "base/check.h"
#include "base/finite.h"

namespace vitrum {
namespace {

// Containers that training codes put around the weights, best first: averaged weights before raw ones.
constexpr std::array<std::string_view, 8> kContainers = {
    "params_ema.", "params.", "model_state_dict.", "state_dict.", "model_ema.", "ema.", "model.", "net."};

bool all_start_with(Checkpoint const& checkpoint, std::string const& outer, std::string_view prefix) {
    bool any = false;
    for (auto const& tensor : checkpoint.tensors) {
        if (!tensor.name.starts_with(outer)) continue;
        if (!std::string_view(tensor.name).substr(outer.size()).starts_with(prefix)) return false;
        any = true;
    }
    return any;
}

}  // namespace

StateDict::StateDict(Checkpoint const& checkpoint, std::string prefix)
    : prefix_(std::move(prefix)),
      path_(checkpoint.path),
      storage_(checkpoint.storage),
      config_(&checkpoint.config),
      preprocessor_(&checkpoint.preprocessor) {
    for (auto const& tensor : checkpoint.tensors) {
        if (tensor.name.starts_with(prefix_)) tensors_.emplace(tensor.name.substr(prefix_.size()), &tensor);
    }
}

std::vector<StateDict> StateDict::candidates(Checkpoint const& checkpoint) {
    std::vector<StateDict> found;
    auto const add = [&](std::string prefix) {
        if (all_start_with(checkpoint, prefix, "module.")) prefix += "module.";
        StateDict dict(checkpoint, prefix);
        if (!dict.tensors().empty()) found.push_back(std::move(dict));
    };
    for (std::string_view const container : kContainers) add(std::string(container));
    add("");
    return found;
}

CheckpointTensor const* StateDict::find(std::string_view name) const {
    auto const found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : found->second;
}

std::optional<Shape> StateDict::shape(std::string_view name, int rank) const {
    auto const* tensor = find(name);
    if (tensor == nullptr || tensor->view.shape.rank() != rank) return std::nullopt;
    return tensor->view.shape;
}

Constant Weights::get(std::string const& name, Shape const& expected) {
    if (asked_.insert(name).second) requests_.emplace_back(name, expected);
    auto const* tensor = dict_.find(name);
    if (tensor == nullptr) {
        missing_.push_back(name);
    } else if (tensor->view.shape != expected) {
        missing_.push_back(
            fmt::format("{} (expected {}, the file has {})", name, expected.str(), tensor->view.shape.str()));
    } else if (mode_ == Mode::materialise) {
        return materialise(*tensor);
    }
    return {expected, nullptr, nullptr};
}

Constant Weights::materialise(CheckpointTensor const& tensor) const {
    auto const& view = tensor.view;
    auto const count = view.shape.count();
    Constant constant{view.shape, nullptr, nullptr};
    bool const aligned = reinterpret_cast<std::uintptr_t>(view.data) % alignof(float) == 0;
    if (view.dtype == DType::f32 && view.is_contiguous() && aligned) {
        constant.data = reinterpret_cast<float const*>(view.data);
        constant.owner = dict_.storage();
    } else {
        auto buffer = std::make_shared<Buffer>(static_cast<std::size_t>(count) * sizeof(float));
        copy_to_f32(view, buffer->floats());
        constant.data = buffer->floats();
        constant.owner = std::move(buffer);
    }
    if (!all_finite({constant.data, static_cast<std::size_t>(count)})) {
        fail(
            "{}: the weight \"{}\" holds NaN or Inf: the training run that wrote this file had diverged; use an "
            "earlier checkpoint",
            dict_.path().string(), tensor.name);
    }
    return constant;
}

std::vector<std::string> Weights::unexpected(std::function<bool(std::string_view)> const& ignorable) const {
    std::vector<std::string> names;
    for (auto const& [name, tensor] : dict_.tensors()) {
        if (!asked_.contains(name) && !ignorable(name)) names.push_back(name);
    }
    return names;
}

}  // namespace vitrum
