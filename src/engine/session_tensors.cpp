// SPDX-License-Identifier: Apache-2.0
// Runs on tensors that lie on the device: nothing goes through the host but a word that says whether numbers are fine.
#include <algorithm>
#include <array>

#include "base/check.h"
#include "session_state.h"

namespace vitrum {
namespace {

/// The types that Queue::copy() converts float32 to and from.
constexpr std::array kConverted{DType::f32, DType::f16, DType::bf16, DType::f64};

[[noreturn]] void refuse(std::string const& name, std::string const& why) {
    fail_as(ErrorKind::usage, "{}: {}", name, why);
}

/// The element type of a caller's tensor for one of the network's.
DType type_for(DeviceTensor const& tensor, TensorView const& inner, std::string const& name) {
    if (tensor.dtype == name_of(inner.dtype)) return inner.dtype;
    auto const found = std::ranges::find(kConverted, tensor.dtype, [](DType type) { return name_of(type); });
    if (inner.dtype != DType::f32 || found == kConverted.end()) {
        refuse(name, fmt::format("{} values, where the network has {}", tensor.dtype, name_of(inner.dtype)));
    }
    return *found;
}

/// All elements one after the other, as copies want them.
TensorView in_a_row(TensorView view) {
    view.shape = {1, 1, view.shape.count(), 1};
    view.strides = view.shape.contiguous_strides();
    return view;
}

/// A caller's tensor, whose elements are in the order of the network's.
TensorView view_of(DeviceTensor const& tensor, TensorView const& inner, std::string const& name) {
    TensorView view = inner;
    view.data = tensor.data;
    view.dtype = type_for(tensor, inner, name);
    if (view.data == nullptr && view.shape.count() > 0) refuse(name, "no memory");
    if (tensor.strides.empty()) return in_a_row(view);
    if (inner.shape.rank() != 4 || inner.dtype != DType::f32 || tensor.strides.size() != 4) {
        refuse(name, "strides are for float32 tensors [N, H, W, C]; pass a packed one without");
    }
    view.strides = Shape(tensor.strides);
    return view;
}

/// The network's tensor in the same order of dimensions.
TensorView like(TensorView const& outer, TensorView const& inner) {
    return outer.shape == inner.shape ? inner : in_a_row(inner);
}

std::vector<TensorView> views_of(std::span<DeviceTensor const> tensors, std::vector<Edge> const& edges,
                                 Graph const& graph, std::vector<ValueId> const& ids, std::string_view what) {
    if (tensors.size() != edges.size()) {
        fail_as(ErrorKind::usage, "{} {} for a network that has {}", tensors.size(), what, edges.size());
    }
    std::vector<TensorView> views;
    for (std::size_t i = 0; i < edges.size(); ++i) {
        views.push_back(view_of(tensors[i], edges[i].view, graph.value(ids[i]).name));
    }
    return views;
}

Outcome outcome_of(std::uint32_t faults) {
    if ((faults & kNotFinite) != 0) return Outcome::not_finite;
    return (faults & kOutOfRange) != 0 ? Outcome::out_of_range : Outcome::fine;
}

}  // namespace

/// Throws Error (usage) for tensors that are not the program's.
Outside Session::State::outside(std::span<DeviceTensor const> inputs, std::span<DeviceTensor const> outputs,
                                void* stream) const {
    if (on.memory.is_host()) fail_as(ErrorKind::usage, "tensors of a device, for an engine on the host");
    Graph const& graph = *current->program->graph;
    return {views_of(inputs, current->inputs, graph, graph.inputs, "inputs"),
            views_of(outputs, current->outputs, graph, graph.outputs, "outputs"), stream};
}

/// Queues a run of the current program. `noted`, if not null, is the device's word that what is wrong with the results
/// is noted in.
void Session::State::run_on(Outside const& outside, std::uint32_t* noted) {
    Entered const entered(*queue);
    queue->follow(outside.stream);
    try {
        queue_between(outside, noted);
    } catch (...) {
        // The caller's memory is not to be touched any more when the caller hears of it.
        wait_for_all();
        throw;
    }
    queue->precede(outside.stream);
}

void Session::State::queue_between(Outside const& outside, std::uint32_t* noted) {
    for (std::size_t i = 0; i < outside.inputs.size(); ++i) {
        queue->copy(like(outside.inputs[i], current->inputs[i].view), outside.inputs[i], nullptr);
    }
    current->all_steps.run(*queue, beside_others(spare_steps), [&] { launch_steps(nullptr); });
    for (std::size_t i = 0; i < outside.outputs.size(); ++i) {
        queue->copy(outside.outputs[i], like(outside.outputs[i], current->outputs[i].view), noted);
    }
}

/// The same, and waits for it.
Outcome Session::State::run_and_look(Outside const& outside) {
    constexpr std::size_t kBytes = sizeof(std::uint32_t);
    if (faults.device.data() == nullptr) faults = {on.memory.allocate(kBytes), on.memory.allocate_staging(kBytes)};
    auto* const word = reinterpret_cast<std::uint32_t*>(faults.staging.data());
    *word = 0;
    Entered const entered(*queue);
    queue->upload(faults.device.data(), faults.staging.data(), kBytes);
    run_on(outside, faults.word());
    queue->download(faults.staging.data(), faults.device.data(), kBytes);
    queue->wait();
    return outcome_of(*word);
}

/// As go_back_to_asked(), where the inputs are the caller's.
void Session::State::bind_asked() {
    if (current->program != asked) prepare(asked);
}

void Session::run(std::span<DeviceTensor const> inputs, std::span<DeviceTensor const> outputs, void* stream) {
    VITRUM_ASSERT(state_->current != nullptr);
    State& state = *state_;
    state.bind_asked();
    state.run_on(state.outside(inputs, outputs, stream), nullptr);
}

Outcome Session::run_checked(std::span<DeviceTensor const> inputs, std::span<DeviceTensor const> outputs,
                             void* stream) {
    VITRUM_ASSERT(state_->current != nullptr);
    State& state = *state_;
    state.bind_asked();
    Outside const outside = state.outside(inputs, outputs, stream);
    Outcome outcome = state.run_and_look(outside);
    while (outcome == Outcome::not_finite && state.current->program->precision != Precision::fp32) {
        state.prepare(state.engine.data().more_exact(*state.current->program));
        outcome = state.run_and_look(outside);
    }
    state.count_rerun();
    return outcome;
}

void Session::wait() {
    Entered const entered(*state_->queue);
    state_->queue->wait();
}

}  // namespace vitrum
