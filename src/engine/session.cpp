// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <optional>

#include "base/buffer.h"
#include "base/check.h"
#include "engine/engine_data.h"
#include "packed_weights.h"
#include "program.h"

namespace vitrum {
namespace {

/// A step of the program with every address filled in.
struct BoundStep {
    Step const* step;
    Op const* op;
    void (*function)(Op const&, Launch const&);
    std::vector<TensorView> inputs;
    std::vector<TensorView> outputs;
    std::vector<std::byte const*> packed;
    Launch launch;
    double done_fraction;  ///< of the run's expected time, when this step is over
};

}  // namespace

struct Session::State {
    explicit State(Engine e) : engine(std::move(e)), threads(engine.options().threads) {}

    void bind();
    void reserve(std::size_t bytes);
    [[nodiscard]] TensorView resolve(Operand const& operand) const;

    Engine engine;
    ThreadPool threads;
    std::shared_ptr<Program const> program;
    Buffer arena;
    std::vector<BoundStep> steps;
};

TensorView Session::State::resolve(Operand const& operand) const {
    TensorView view = operand.view;
    if (operand.kind == Operand::Kind::arena) view.data = arena.data() + operand.offset;
    return view;
}

void Session::State::reserve(std::size_t bytes) {
    // One huge picture must not keep its memory through a folder of small ones.
    constexpr std::size_t kSlack = std::size_t{64} << 20;
    if (bytes <= arena.size_bytes() && arena.size_bytes() <= 2 * bytes + kSlack) return;
    arena = {};  // before the new one, so that both are never there together
    arena = Buffer(bytes);
}

/// What a step's time is about proportional to: some operators compute, others move memory, at four operations
/// per byte on the machines that this was measured on.
static double expected_cost(Step const& step) {
    return step.flops + 4 * step.bytes;
}

void Session::State::bind() {
    auto& packed_weights = *program->packed;
    Graph const& graph = *program->graph;
    double all = 0;
    double done = 0;
    for (Step const& step : program->steps) all += step.once ? 0 : expected_cost(step);
    steps.clear();
    steps.reserve(program->steps.size());
    for (Step const& step : program->steps) {
        done += step.once ? 0 : expected_cost(step);
        auto& bound =
            steps.emplace_back(BoundStep{&step, &step.node->op, step.selection.launch, {}, {}, {}, {}, done / all});
        for (Operand const& input : step.inputs) bound.inputs.push_back(resolve(input));
        for (Operand const& output : step.outputs) bound.outputs.push_back(resolve(output));
        for (Packing const& packing : step.selection.packings) {
            ValueId const weight = step.node->inputs[static_cast<std::size_t>(packing.input)];
            bound.packed.push_back(packed_weights.get(*graph.value(weight).constant, packing));
        }
        bound.launch = {bound.inputs, bound.outputs, bound.packed, arena.data() + step.workspace_offset, &threads};
        if (!step.once) continue;
        bound.function(*bound.op, bound.launch);
        steps.pop_back();
    }
}

Session::Session(Engine engine) : state_(std::make_unique<State>(std::move(engine))) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

void Session::prepare(Sizes const& sizes) {
    if (state_->program && state_->program->sizes == sizes) return;
    auto program = state_->engine.data().program(sizes);
    state_->program = nullptr;  // nothing half-bound stays if memory runs out below
    state_->steps.clear();
    state_->reserve(program->arena_bytes);
    state_->program = std::move(program);
    state_->bind();
}

std::span<float> Session::input(std::size_t index) {
    VITRUM_ASSERT(state_->program != nullptr && index < state_->program->inputs.size());
    TensorView const view = state_->resolve(state_->program->inputs[index]);
    VITRUM_ASSERT(view.dtype == DType::f32);
    return {reinterpret_cast<float*>(view.data), static_cast<std::size_t>(view.shape.count())};
}

std::span<float const> Session::output(std::size_t index) const {
    VITRUM_ASSERT(state_->program != nullptr && index < state_->program->outputs.size());
    TensorView const view = state_->resolve(state_->program->outputs[index]);
    VITRUM_ASSERT(view.dtype == DType::f32);
    return {reinterpret_cast<float const*>(view.data), static_cast<std::size_t>(view.shape.count())};
}

std::span<std::byte> Session::input_bytes(std::size_t index) {
    VITRUM_ASSERT(state_->program != nullptr && index < state_->program->inputs.size());
    TensorView const view = state_->resolve(state_->program->inputs[index]);
    return {view.data, static_cast<std::size_t>(view.shape.count()) * size_of(view.dtype)};
}

std::span<std::byte const> Session::output_bytes(std::size_t index) const {
    VITRUM_ASSERT(state_->program != nullptr && index < state_->program->outputs.size());
    TensorView const view = state_->resolve(state_->program->outputs[index]);
    return {view.data, static_cast<std::size_t>(view.shape.count()) * size_of(view.dtype)};
}

void Session::run(Progress const& progress) {
    VITRUM_ASSERT(state_->program != nullptr);
    for (BoundStep const& step : state_->steps) {
        step.function(*step.op, step.launch);
        if (progress && !progress(step.done_fraction)) fail("cancelled");
    }
}

void Session::run_layers(std::function<void(LayerValue const&)> const& look) {
    VITRUM_ASSERT(state_->program != nullptr);
    std::vector<float> packed;
    for (BoundStep const& bound : state_->steps) {
        bound.function(*bound.op, bound.launch);
        TensorView const& view = bound.outputs.front();
        packed.resize(static_cast<std::size_t>(view.shape.count()));
        copy_to_f32({view.data, view.dtype, view.shape, view.strides}, packed.data());
        look({std::string(name_of(*bound.op)),
              bound.step->node->provenance,
              {view.shape.begin(), view.shape.end()},
              packed});
    }
}

std::vector<OpProfile> Session::profile(int runs) {
    VITRUM_ASSERT(state_->program != nullptr && runs > 0);
    using Clock = std::chrono::steady_clock;
    std::vector<OpProfile> profiles;
    for (BoundStep const& bound : state_->steps) {
        Step const& step = *bound.step;
        profiles.push_back({std::string(name_of(step.node->op)), step.node->provenance,
                            std::string(step.selection.kernel), 0, step.flops, step.bytes});
    }
    for (int run = 0; run < runs; ++run) {
        for (std::size_t i = 0; i < state_->steps.size(); ++i) {
            auto const start = Clock::now();
            state_->steps[i].function(*state_->steps[i].op, state_->steps[i].launch);
            profiles[i].seconds += std::chrono::duration<double>(Clock::now() - start).count() / runs;
        }
    }
    return profiles;
}

Engine const& Session::engine() const {
    return state_->engine;
}

std::size_t Session::arena_bytes() const {
    return state_->arena.size_bytes();
}

}  // namespace vitrum
