// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <utility>

#include <fmt/ranges.h>

#include "base/check.h"
#include "base/finite.h"
#include "session_state.h"

namespace vitrum {

/// From the first element to behind the last one, padding between pixels included.
static std::size_t span_bytes(TensorView const& view) {
    std::int64_t last = 0;
    for (int i = 0; i < view.shape.rank(); ++i) {
        if (view.shape[i] == 0) return 0;
        last += (view.shape[i] - 1) * view.strides[i];
    }
    return static_cast<std::size_t>(last + 1) * size_of(view.dtype);
}

/// Programs that a session keeps bound beside the current one, with their recordings.
constexpr std::size_t kMostBoundBytes = std::size_t{64} << 20;

/// Whatever becomes of it.
void Session::State::wait_for_all() noexcept {
    try {
        Entered const entered(*queue);
        queue->wait();
    } catch (...) {  // what failed was told to whoever asked for it, or nobody will
    }
}

void Session::State::prepare(std::shared_ptr<Program const> next) {
    Entered const entered(*queue);
    current = nullptr;  // nothing half-bound stays if memory runs out below
    try {
        if (on.reserve(*next)) forget_addresses();
        BoundProgram& to = bind(std::move(next));
        // Another program has run in this arena since.
        for (BoundStep const& step : to.once) launch(step);
        if (!to.once.empty()) queue->wait();
        current = &to;
    } catch (...) {
        forget_addresses();
        throw;
    }
    forget_least_used();
}

void Session::State::forget_addresses() {
    places.clear();
    bound.clear();
    bound_bytes = 0;
    spare_run.recording.reset();
    spare_steps.recording.reset();
}

/// The program at the front of those that are bound.
BoundProgram& Session::State::bind(std::shared_ptr<Program const> next) {
    if (!bound.empty()) count_bytes(bound.front());  // what ran may have a recording since
    auto const known = places.find(next.get());
    if (known == places.end()) {
        bound.emplace_front(std::move(next), on);
        places[bound.front().program.get()] = bound.begin();
    } else {
        bound.splice(bound.begin(), bound, known->second);
    }
    count_bytes(bound.front());
    return bound.front();
}

void Session::State::count_bytes(BoundProgram& of) {
    std::size_t const now = of.bytes();
    bound_bytes += now - std::exchange(of.counted_bytes, now);
}

void Session::State::forget_least_used() {
    bool const keeps_graphs = engine.data().onnx != nullptr;
    std::size_t const beside = bound.front().counted_bytes;
    std::size_t const most = kMostBoundBytes - std::min(kMostBoundBytes, spare_run.bytes() + spare_steps.bytes());
    while (bound.size() > 1 && (bound_bytes - beside > most || (keeps_graphs && bound.size() > kOnnxGraphsKept))) {
        bound_bytes -= bound.back().counted_bytes;
        places.erase(bound.back().program.get());
        bound.pop_back();
    }
}

/// Another program for the same sizes, the inputs being kept: the arena, where the host's inputs lie, may move.
void Session::State::bind_with_inputs(std::shared_ptr<Program const> other) {
    std::vector<std::vector<std::byte>> kept;
    for (Edge const& edge : current->inputs) kept.emplace_back(edge.host, edge.host + edge.bytes);
    prepare(std::move(other));
    for (std::size_t i = 0; i < kept.size(); ++i) std::ranges::copy(kept[i], current->inputs[i].host);
}

/// After a run that ended in a more exact precision.
void Session::State::go_back_to_asked() {
    if (current->program != asked) bind_with_inputs(asked);
}

/// Looks at float32 outputs, which are all that networks of the families have.
bool Session::State::gave_finite() const {
    return std::ranges::all_of(current->outputs, [](Edge const& edge) {
        if (edge.view.dtype != DType::f32) return true;
        return all_finite({reinterpret_cast<float const*>(edge.host), edge.bytes / sizeof(float)});
    });
}

void Session::State::launch(BoundStep const& step) {
    step.function(*step.op, step.launch);
    check_launch(step, step.step->selection.kernel);
}

/// Launches a step of the run, with those behind it that one kernel does as well. Returns how many that were.
std::size_t Session::State::launch_from(std::size_t first) {
    BoundStep const& step = current->steps[first];
    ChainKernel const& chain = step.step->chain;
    if (chain.steps == 0) {
        launch(step);
        return 1;
    }
    std::array<OpLaunch, ChainKernel::kMostSteps> steps;
    for (std::size_t i = 0; i < chain.steps; ++i) {
        BoundStep const& next = current->steps[first + i];
        steps[i] = {next.op, &next.launch};
    }
    chain.launch({steps.data(), chain.steps});
    check_launch(step, chain.name);
    return chain.steps;
}

void Session::State::check_launch(BoundStep const& step, std::string_view kernel) {
    if (on.memory.is_host()) return;
    if (std::optional<Error> const error = queue->launch_error()) {
        fail_as(error->kind(), "{} ({}), kernel {}: {}", name_of(*step.op), step.step->node->provenance, kernel,
                error->what());
    }
}

void Session::State::upload_inputs() {
    for (Edge const& edge : current->inputs) {
        if (edge.is_staged()) queue->upload(edge.view.data, edge.host, edge.bytes);
    }
}

void Session::State::download_outputs() {
    for (Edge const& edge : current->outputs) {
        if (edge.is_staged()) queue->download(edge.host, edge.view.data, edge.bytes);
    }
}

/// The queue's own order does for a chain, and costs less while it records.
void Session::State::begin_step(std::span<std::size_t const> needs) {
    if (!current->program->is_chain) queue->begin_step(needs);
}

void Session::State::launch_steps(Progress const& progress) {
    std::vector<BoundStep> const& steps = current->steps;
    for (std::size_t next = 0; next < steps.size();) {
        begin_step(steps[next].step->needs);
        std::size_t const end = next + launch_from(next);
        while (++next < end) begin_step(steps[next].step->needs);
        if (progress && !progress(steps[end - 1].done_fraction)) fail("cancelled");
    }
}

void Session::State::launch_all(Progress const& progress) {
    upload_inputs();
    launch_steps(progress);
    begin_step(current->program->last_steps);
    download_outputs();
}

/// Alone, kernels that are launched begin before all of them are.
SpareRecording* Session::State::beside_others(SpareRecording& spare) {
    return engine.data().sessions > 1 ? &spare : nullptr;
}

void Session::State::run(Progress const& progress) {
    if (on.memory.is_host()) {
        launch_all(progress);
        return;
    }
    Entered const entered(*queue);
    current->whole_run.run(*queue, beside_others(spare_run), [&] { launch_all(nullptr); });
    queue->wait();
    if (progress && !progress(1)) fail("cancelled");
}

/// Of a checked run that is over.
void Session::State::count_rerun() {
    if (current->program == asked) return;
    ++(current->program->precision == Precision::tf32 ? reruns.in_tf32 : reruns.in_fp32);
}

Session::Session(Engine engine) : state_(std::make_unique<State>(std::move(engine))) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

void Session::prepare(Sizes const& sizes) {
    if (state_->current != nullptr && !state_->shapes && state_->current->program->sizes == sizes) return;
    state_->asked = state_->engine.data().program(sizes);
    state_->prepare(state_->asked);
    state_->shapes.reset();
}

void Session::prepare(InputShapes const& shapes) {
    if (state_->current != nullptr && state_->shapes == shapes) return;
    state_->asked = state_->engine.data().program(shapes);
    state_->prepare(state_->asked);
    state_->shapes = shapes;
}

std::span<float> Session::input(std::size_t index) {
    VITRUM_ASSERT(state_->current != nullptr && index < state_->current->inputs.size());
    VITRUM_ASSERT(state_->current->inputs[index].view.dtype == DType::f32);
    auto const bytes = input_bytes(index);
    return {reinterpret_cast<float*>(bytes.data()), bytes.size() / sizeof(float)};
}

std::span<float const> Session::output(std::size_t index) const {
    VITRUM_ASSERT(state_->current != nullptr && index < state_->current->outputs.size());
    VITRUM_ASSERT(state_->current->outputs[index].view.dtype == DType::f32);
    auto const bytes = output_bytes(index);
    return {reinterpret_cast<float const*>(bytes.data()), bytes.size() / sizeof(float)};
}

std::span<std::byte> Session::input_bytes(std::size_t index) {
    VITRUM_ASSERT(state_->current != nullptr && index < state_->current->inputs.size());
    Edge const& edge = state_->current->inputs[index];
    return {edge.host, edge.bytes};
}

std::span<std::byte const> Session::output_bytes(std::size_t index) const {
    VITRUM_ASSERT(state_->current != nullptr && index < state_->current->outputs.size());
    Edge const& edge = state_->current->outputs[index];
    return {edge.host, edge.bytes};
}

void Session::run(Progress const& progress) {
    VITRUM_ASSERT(state_->current != nullptr);
    state_->go_back_to_asked();
    state_->run(progress);
}

void Session::run_checked(Progress const& progress) {
    run(progress);
    State& state = *state_;
    while (state.current->program->precision != Precision::fp32 && !state.gave_finite()) {
        state.bind_with_inputs(state.engine.data().more_exact(*state.current->program));
        state.run(progress);
    }
    state.count_rerun();
}

Reruns Session::reruns() const {
    return state_->reruns;
}

void Session::run_layers(std::function<void(LayerValue const&)> const& look) {
    VITRUM_ASSERT(state_->current != nullptr);
    State& state = *state_;
    state.go_back_to_asked();
    Entered const entered(*state.queue);
    state.upload_inputs();
    std::vector<std::byte> fetched;
    std::vector<float> packed;
    for (BoundStep const& bound : state.current->steps) {
        state.launch(bound);
        TensorView view = bound.launch.outputs.front();
        if (!state.on.memory.is_host()) {
            fetched.resize(span_bytes(view));
            state.queue->download(fetched.data(), view.data, fetched.size());
            state.queue->wait();
            view.data = fetched.data();
        }
        packed.resize(static_cast<std::size_t>(view.shape.count()));
        copy_to_f32({view.data, view.dtype, view.shape, view.strides}, packed.data());
        look({static_cast<std::size_t>(bound.step->node - state.current->program->graph->nodes.data()),
              std::string(name_of(*bound.op)),
              bound.step->node->provenance,
              {view.shape.begin(), view.shape.end()},
              packed});
    }
    state.download_outputs();
    state.queue->wait();
}

std::vector<double> Session::compute_seconds(int runs) {
    VITRUM_ASSERT(state_->current != nullptr && runs > 0);
    State& state = *state_;
    state.go_back_to_asked();
    Entered const entered(*state.queue);
    auto const recording = state.queue->record([&] { state.launch_steps(nullptr); }, nullptr);
    for (int run = 0; run < runs; ++run) {
        state.upload_inputs();
        state.queue->mark();
        if (recording != nullptr) recording->replay();
        else state.launch_steps(nullptr);
        state.queue->mark();
    }
    std::vector<double> const laps = state.queue->laps();
    std::vector<double> seconds;
    for (std::size_t i = 0; i < laps.size(); i += 2) seconds.push_back(laps[i]);  // between them, the next run's inputs
    state.download_outputs();
    state.queue->wait();
    return seconds;
}

/// Of steps that one kernel does: "6 × (WindowAttention, Mlp)".
static std::string names_of(std::span<BoundStep const> steps) {
    std::vector<std::string_view> names;
    for (BoundStep const& step : steps) names.push_back(name_of(*step.op));
    std::size_t period = 1;
    while (names.size() % period != 0 ||
           !std::equal(names.begin() + static_cast<std::ptrdiff_t>(period), names.end(), names.begin())) {
        ++period;
    }
    std::size_t const times = names.size() / period;
    names.resize(period);
    auto const once = fmt::format("{}", fmt::join(names, ", "));
    return times == 1 ? once : fmt::format("{} × ({})", times, once);
}

std::vector<OpProfile> Session::profile(int runs) {
    VITRUM_ASSERT(state_->current != nullptr && runs > 0);
    State& state = *state_;
    state.go_back_to_asked();
    Entered const entered(*state.queue);
    state.upload_inputs();
    std::vector<OpProfile> profiles;
    std::vector<BoundStep> const& steps = state.current->steps;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        Step const& step = *steps[i].step;
        OpProfile& profile =
            profiles.emplace_back(OpProfile{std::string(name_of(step.node->op)), step.node->provenance,
                                            std::string(step.selection.kernel), 0, step.flops, step.bytes});
        if (step.chain.steps == 0) continue;
        profile.op = names_of(std::span(steps).subspan(i, step.chain.steps));
        profile.kernel = step.chain.name;
        for (std::size_t left = step.chain.steps; left > 1; --left) {
            Step const& next = *steps[++i].step;
            profile.flops += next.flops, profile.bytes += next.bytes;
        }
    }
    for (int run = 0; run < runs; ++run) {
        state.queue->mark();
        for (std::size_t i = 0; i < steps.size();) {
            i += state.launch_from(i);
            state.queue->mark();
        }
        std::vector<double> const laps = state.queue->laps();
        for (std::size_t i = 0; i < laps.size(); ++i) profiles[i].seconds += laps[i] / runs;
    }
    state.download_outputs();
    state.queue->wait();
    return profiles;
}

Engine const& Session::engine() const {
    return state_->engine;
}

std::size_t Session::arena_bytes() const {
    return state_->on.arena.size_bytes;
}

}  // namespace vitrum
