// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>

#include "base/check.h"
#include "base/finite.h"
#include "engine/engine_data.h"
#include "host_memory.h"
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

/// An input or output of the network: where kernels find it, and where the caller does. On the host that is one place.
struct Edge {
    TensorView view;
    std::byte* host;
    std::size_t bytes;

    [[nodiscard]] bool is_staged() const { return host != view.data; }
};

constexpr std::size_t kAlignment = 64;

std::size_t bytes_of(TensorView const& view) {
    return static_cast<std::size_t>(view.shape.count()) * size_of(view.dtype);
}

/// From the first element to behind the last one, padding between pixels included.
std::size_t span_bytes(TensorView const& view) {
    std::int64_t last = 0;
    for (int i = 0; i < view.shape.rank(); ++i) {
        if (view.shape[i] == 0) return 0;
        last += (view.shape[i] - 1) * view.strides[i];
    }
    return static_cast<std::size_t>(last + 1) * size_of(view.dtype);
}

/// Makes room where there is none, or where far too much is held.
template <class Allocate>
void reserve(Block& block, std::size_t bytes, Allocate const& allocate) {
    // One huge picture must not keep its memory through a folder of small ones.
    constexpr std::size_t kSlack = std::size_t{64} << 20;
    if (bytes <= block.size_bytes && block.size_bytes <= 2 * bytes + kSlack) return;
    block = {};  // before the new one, so that both are never there together
    block = allocate(bytes);
}

/// What a step's time is about proportional to: some operators compute, others move memory, at four operations
/// per byte on the machines that this was measured on.
double expected_cost(Step const& step) {
    return step.flops + 4 * step.bytes;
}

}  // namespace

struct Session::State {
    explicit State(Engine e)
        : engine(std::move(e)),
          memory(engine.data().memory()),
          queue(memory.make_queue()),
          threads(memory.is_host() ? engine.options().threads : 1) {}

    void prepare(std::shared_ptr<Program const> next);
    void bind_with_inputs(std::shared_ptr<Program const> other);
    void go_back_to_asked();
    [[nodiscard]] bool gave_finite() const;
    void bind();
    void bind_edges();
    void bind_step(Step const& step, BoundStep& bound);
    [[nodiscard]] TensorView resolve(Operand const& operand) const;
    [[nodiscard]] TensorView resolve(Operand const& operand, ValueId id) const;

    void launch(BoundStep const& bound);
    void launch_all(Progress const& progress);
    void upload_inputs();
    void download_outputs();
    void run_on_device();
    void run(Progress const& progress);

    Engine engine;
    Memory& memory;
    std::unique_ptr<Queue> queue;
    ThreadPool threads;
    std::shared_ptr<Program const> asked;    ///< for the sizes, in the engine's precision
    std::shared_ptr<Program const> program;  ///< that one, or a more exact one; null where nothing is bound
    Reruns reruns;
    Block arena;
    Block staging;  ///< the host's side of inputs and outputs, where the device has memory of its own
    std::vector<BoundStep> steps;
    std::vector<Edge> inputs, outputs;
    std::unique_ptr<Recording> recording;  ///< of all that a run queues
    bool has_run = false;                  ///< since the program was bound
    std::optional<InputShapes> shapes;     ///< of the inputs that the program was asked for by, where it was
};

TensorView Session::State::resolve(Operand const& operand) const {
    TensorView view = operand.view;
    if (operand.kind == Operand::Kind::arena) view.data = arena.data() + operand.offset;
    return view;
}

TensorView Session::State::resolve(Operand const& operand, ValueId id) const {
    TensorView view = resolve(operand);
    if (operand.kind == Operand::Kind::constant) {
        view.data = const_cast<std::byte*>(program->packed->canonical(*program->graph->value(id).constant));
    }
    return view;
}

void Session::State::prepare(std::shared_ptr<Program const> next) {
    queue->enter();
    program = nullptr;  // nothing half-bound stays if memory runs out below
    recording = nullptr;
    has_run = false;
    steps.clear();
    reserve(arena, next->arena_bytes, [&](std::size_t bytes) { return memory.allocate(bytes); });
    program = std::move(next);
    try {
        bind();
    } catch (...) {
        program = nullptr;
        throw;
    }
}

/// Another program for the same sizes, the inputs being kept: the arena, where the host's inputs lie, may move.
void Session::State::bind_with_inputs(std::shared_ptr<Program const> other) {
    std::vector<std::vector<std::byte>> kept;
    for (Edge const& edge : inputs) kept.emplace_back(edge.host, edge.host + edge.bytes);
    prepare(std::move(other));
    for (std::size_t i = 0; i < kept.size(); ++i) std::ranges::copy(kept[i], inputs[i].host);
}

/// After a run that ended in a more exact precision.
void Session::State::go_back_to_asked() {
    if (program != asked) bind_with_inputs(asked);
}

/// Looks at float32 outputs, which are all that networks of the families have.
bool Session::State::gave_finite() const {
    return std::ranges::all_of(outputs, [](Edge const& edge) {
        if (edge.view.dtype != DType::f32) return true;
        return all_finite({reinterpret_cast<float const*>(edge.host), edge.bytes / sizeof(float)});
    });
}

void Session::State::bind_edges() {
    inputs.clear();
    outputs.clear();
    for (Operand const& operand : program->inputs) inputs.push_back({resolve(operand), nullptr, 0});
    for (Operand const& operand : program->outputs) outputs.push_back({resolve(operand), nullptr, 0});
    std::size_t all = 0;
    for (auto* const edges : {&inputs, &outputs}) {
        for (Edge& edge : *edges) {
            edge.bytes = bytes_of(edge.view);
            edge.host = edge.view.data;
            all += (edge.bytes + kAlignment - 1) / kAlignment * kAlignment;
        }
    }
    if (memory.is_host()) return;
    reserve(staging, all, [&](std::size_t bytes) { return memory.allocate_staging(bytes); });
    std::byte* next = staging.data();
    for (auto* const edges : {&inputs, &outputs}) {
        for (Edge& edge : *edges) {
            edge.host = next;
            next += (edge.bytes + kAlignment - 1) / kAlignment * kAlignment;
        }
    }
}

void Session::State::bind_step(Step const& step, BoundStep& bound) {
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
        bound.inputs.push_back(resolve(step.inputs[i], step.node->inputs[i]));
    }
    for (Operand const& output : step.outputs) bound.outputs.push_back(resolve(output));
    for (Packing const& packing : step.selection.packings) {
        ValueId const weight = step.node->inputs[static_cast<std::size_t>(packing.input)];
        bound.packed.push_back(program->packed->get(*program->graph->value(weight).constant, packing));
    }
    bound.launch = {.inputs = bound.inputs,
                    .outputs = bound.outputs,
                    .packed = bound.packed,
                    .workspace = arena.data() + step.workspace_offset,
                    .threads = memory.is_host() ? &threads : nullptr,
                    .stream = queue->handle()};
}

void Session::State::bind() {
    bind_edges();
    double all = 0;
    double done = 0;
    for (Step const& step : program->steps) all += step.once ? 0 : expected_cost(step);
    steps.reserve(program->steps.size());
    for (Step const& step : program->steps) {
        done += step.once ? 0 : expected_cost(step);
        auto& bound =
            steps.emplace_back(BoundStep{&step, &step.node->op, step.selection.launch, {}, {}, {}, {}, done / all});
        bind_step(step, bound);
        if (!step.once) continue;
        launch(bound);
        steps.pop_back();
    }
    queue->wait();
}

void Session::State::launch(BoundStep const& bound) {
    bound.function(*bound.op, bound.launch);
    if (memory.is_host()) return;
    if (std::string const why = queue->launch_error(); !why.empty()) {
        fail("{} ({}), kernel {}: {}", name_of(*bound.op), bound.step->node->provenance, bound.step->selection.kernel,
             why);
    }
}

void Session::State::upload_inputs() {
    for (Edge const& edge : inputs) {
        if (edge.is_staged()) queue->upload(edge.view.data, edge.host, edge.bytes);
    }
}

void Session::State::download_outputs() {
    for (Edge const& edge : outputs) {
        if (edge.is_staged()) queue->download(edge.host, edge.view.data, edge.bytes);
    }
}

void Session::State::launch_all(Progress const& progress) {
    upload_inputs();
    for (BoundStep const& step : steps) {
        launch(step);
        if (progress && !progress(step.done_fraction)) fail("cancelled");
    }
    download_outputs();
}

/// A size that occurs once, as in a folder of different pictures, is not worth a recording.
void Session::State::run_on_device() {
    if (has_run && recording == nullptr) {
        recording = queue->record([&] { launch_all(nullptr); });
    }
    if (recording != nullptr) recording->replay();
    else launch_all(nullptr);
    queue->wait();
    has_run = true;
}

void Session::State::run(Progress const& progress) {
    if (memory.is_host()) {
        launch_all(progress);
        return;
    }
    queue->enter();
    run_on_device();
    if (progress && !progress(1)) fail("cancelled");
}

Session::Session(Engine engine) : state_(std::make_unique<State>(std::move(engine))) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

void Session::prepare(Sizes const& sizes) {
    if (state_->program && !state_->shapes && state_->program->sizes == sizes) return;
    state_->asked = state_->engine.data().program(sizes);
    state_->prepare(state_->asked);
    state_->shapes.reset();
}

void Session::prepare(InputShapes const& shapes) {
    if (state_->program && state_->shapes == shapes) return;
    state_->asked = state_->engine.data().program(shapes);
    state_->prepare(state_->asked);
    state_->shapes = shapes;
}

std::span<float> Session::input(std::size_t index) {
    VITRUM_ASSERT(state_->program != nullptr && index < state_->inputs.size());
    VITRUM_ASSERT(state_->inputs[index].view.dtype == DType::f32);
    auto const bytes = input_bytes(index);
    return {reinterpret_cast<float*>(bytes.data()), bytes.size() / sizeof(float)};
}

std::span<float const> Session::output(std::size_t index) const {
    VITRUM_ASSERT(state_->program != nullptr && index < state_->outputs.size());
    VITRUM_ASSERT(state_->outputs[index].view.dtype == DType::f32);
    auto const bytes = output_bytes(index);
    return {reinterpret_cast<float const*>(bytes.data()), bytes.size() / sizeof(float)};
}

std::span<std::byte> Session::input_bytes(std::size_t index) {
    VITRUM_ASSERT(state_->program != nullptr && index < state_->inputs.size());
    Edge const& edge = state_->inputs[index];
    return {edge.host, edge.bytes};
}

std::span<std::byte const> Session::output_bytes(std::size_t index) const {
    VITRUM_ASSERT(state_->program != nullptr && index < state_->outputs.size());
    Edge const& edge = state_->outputs[index];
    return {edge.host, edge.bytes};
}

void Session::run(Progress const& progress) {
    VITRUM_ASSERT(state_->program != nullptr);
    state_->go_back_to_asked();
    state_->run(progress);
}

void Session::run_checked(Progress const& progress) {
    run(progress);
    State& state = *state_;
    while (state.program->precision != Precision::fp32 && !state.gave_finite()) {
        state.bind_with_inputs(state.engine.data().more_exact(*state.program));
        state.run(progress);
    }
    if (state.program == state.asked) return;
    ++(state.program->precision == Precision::tf32 ? state.reruns.in_tf32 : state.reruns.in_fp32);
}

Reruns Session::reruns() const {
    return state_->reruns;
}

void Session::run_layers(std::function<void(LayerValue const&)> const& look) {
    VITRUM_ASSERT(state_->program != nullptr);
    State& state = *state_;
    state.go_back_to_asked();
    state.queue->enter();
    state.upload_inputs();
    std::vector<std::byte> fetched;
    std::vector<float> packed;
    for (BoundStep const& bound : state.steps) {
        state.launch(bound);
        TensorView view = bound.outputs.front();
        if (!state.memory.is_host()) {
            fetched.resize(span_bytes(view));
            state.queue->download(fetched.data(), view.data, fetched.size());
            state.queue->wait();
            view.data = fetched.data();
        }
        packed.resize(static_cast<std::size_t>(view.shape.count()));
        copy_to_f32({view.data, view.dtype, view.shape, view.strides}, packed.data());
        look({static_cast<std::size_t>(bound.step->node - state.program->graph->nodes.data()),
              std::string(name_of(*bound.op)),
              bound.step->node->provenance,
              {view.shape.begin(), view.shape.end()},
              packed});
    }
    state.download_outputs();
    state.queue->wait();
}

std::vector<OpProfile> Session::profile(int runs) {
    VITRUM_ASSERT(state_->program != nullptr && runs > 0);
    State& state = *state_;
    state.go_back_to_asked();
    state.queue->enter();
    state.upload_inputs();
    std::vector<OpProfile> profiles;
    for (BoundStep const& bound : state.steps) {
        Step const& step = *bound.step;
        profiles.push_back({std::string(name_of(step.node->op)), step.node->provenance,
                            std::string(step.selection.kernel), 0, step.flops, step.bytes});
    }
    for (int run = 0; run < runs; ++run) {
        state.queue->mark();
        for (BoundStep const& bound : state.steps) {
            state.launch(bound);
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
    return state_->arena.size_bytes;
}

}  // namespace vitrum
