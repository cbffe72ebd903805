// SPDX-License-Identifier: Apache-2.0
#include "bound_program.h"

#include <algorithm>
#include <utility>

#include "alignment.h"
#include "packed_weights.h"

namespace vitrum {
namespace {

std::size_t bytes_of(TensorView const& view) {
    return static_cast<std::size_t>(view.shape.count()) * size_of(view.dtype);
}

std::size_t staging_bytes(Program const& program) {
    std::size_t all = 0;
    for (auto const* const edges : {&program.inputs, &program.outputs}) {
        for (Operand const& edge : *edges) all += aligned(bytes_of(edge.view));
    }
    return all;
}

/// One huge picture must not keep its memory through a folder of small ones.
bool fits(Block const& block, std::size_t bytes, std::size_t slack) {
    return bytes <= block.size_bytes && block.size_bytes <= 2 * bytes + slack;
}

/// On a device, where all sessions wait while memory is given back: of pictures of many small sizes each that is larger
/// than all before it would move the blocks once more.
constexpr std::size_t kLeastArena = std::size_t{16} << 20, kLeastStaging = std::size_t{4} << 20;

/// At least so much where it can be had.
template <class Allocate>
Block at_least(std::size_t least, std::size_t bytes, Allocate const& allocate) {
    if (bytes < least) {
        try {
            return allocate(least);
        } catch (Error const& error) {
            if (error.kind() != ErrorKind::out_of_memory) throw;
        }
    }
    return allocate(bytes);
}

/// What a step's time is about proportional to: some operators compute, others move memory, at four operations
/// per byte on the machines that this was measured on.
double expected_cost(Step const& step) {
    return step.flops + 4 * step.bytes;
}

bool is_packed(Step const& step, int input) {
    return std::ranges::any_of(step.selection.packings, [&](Packing const& packing) { return packing.input == input; });
}

}  // namespace

bool SessionMemory::reserve(Program const& program) {
    std::size_t const staged = memory.is_host() ? 0 : staging_bytes(program);
    // A device has memory for little else, and waits for all sessions while some is given back.
    constexpr std::size_t kSlack = std::size_t{64} << 20, kDeviceSlack = std::size_t{1} << 30;
    bool const arena_fits = fits(arena, program.arena_bytes, memory.is_host() ? kSlack : kDeviceSlack);
    bool const staging_fits = fits(staging, staged, kSlack);
    if (!arena_fits || !staging_fits) queue.wait();  // for runs that nobody has waited for
    // Given back before the new one, so that both are never there together.
    if (!arena_fits) arena = {};
    if (!staging_fits) staging = {};
    if (!arena_fits) {
        arena = at_least(memory.is_host() ? 0 : kLeastArena, program.arena_bytes,
                         [&](std::size_t bytes) { return memory.allocate(bytes); });
    }
    if (!staging_fits) {
        staging = at_least(kLeastStaging, staged + staged / 2,  // pinning takes milliseconds
                           [&](std::size_t bytes) { return memory.allocate_staging(bytes); });
    }
    return !arena_fits || !staging_fits;
}

void Repeated::run(Queue& queue, SpareRecording* spare, std::function<void()> const& work) {
    constexpr int kPlain = 2;
    if (recording_ == nullptr && runs_ == kPlain) recording_ = queue.record(work, nullptr);
    if (recording_ != nullptr) return recording_->replay();
    ++runs_;
    // A session that meets one size has no use for it.
    if (spare == nullptr || ++spare->runs == runs_) return work();
    spare->recording = queue.record(work, std::move(spare->recording));
    spare->recording->replay();
}

BoundProgram::BoundProgram(std::shared_ptr<Program const> bound, SessionMemory& on)
    : program(std::move(bound)), on_(on) {
    bind_edges();
    make_room();
    double all = 0;
    double done = 0;
    for (Step const& step : program->steps) all += step.once ? 0 : expected_cost(step);
    for (Step const& step : program->steps) {
        done += step.once ? 0 : expected_cost(step);
        auto& to = step.once ? once : steps;
        to.push_back({&step, &step.node->op, step.selection.launch, bind_step(step), done / all});
    }
    own_bytes_ = own_bytes();
}

TensorView BoundProgram::resolve(Operand const& operand) const {
    TensorView view = operand.view;
    if (operand.kind == Operand::Kind::arena) view.data = on_.arena.data() + operand.offset;
    return view;
}

TensorView BoundProgram::resolve(Operand const& operand, ValueId id) const {
    TensorView view = resolve(operand);
    if (operand.kind == Operand::Kind::constant) {
        view.data = const_cast<std::byte*>(program->packed->canonical(id, *program->graph->value(id).constant));
    }
    return view;
}

void BoundProgram::bind_edges() {
    for (Operand const& operand : program->inputs) inputs.push_back({resolve(operand), nullptr, 0});
    for (Operand const& operand : program->outputs) outputs.push_back({resolve(operand), nullptr, 0});
    std::byte* next = on_.staging.data();
    for (auto* const edges : {&inputs, &outputs}) {
        for (Edge& edge : *edges) {
            edge.bytes = bytes_of(edge.view);
            edge.host = on_.memory.is_host() ? edge.view.data : next;
            if (!on_.memory.is_host()) next += aligned(edge.bytes);
        }
    }
}

/// For what steps point to, so that it stays where it is.
void BoundProgram::make_room() {
    std::size_t views = 0, packed = 0;
    for (Step const& step : program->steps) {
        views += step.inputs.size() + step.outputs.size();
        packed += step.selection.packings.size();
    }
    views_.reserve(views);
    packed_.reserve(packed);
    steps.reserve(program->steps.size());
}

Launch BoundProgram::bind_step(Step const& step) {
    auto* const first_view = views_.data() + views_.size();
    auto* const first_packed = packed_.data() + packed_.size();
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
        // Of what is packed, kernels ask for extents and presence: on the host it stays where it is, in the file.
        bool const stays = on_.memory.is_host() && is_packed(step, static_cast<int>(i));
        views_.push_back(stays ? resolve(step.inputs[i]) : resolve(step.inputs[i], step.node->inputs[i]));
    }
    for (Operand const& output : step.outputs) views_.push_back(resolve(output));
    for (Packing const& packing : step.selection.packings) {
        ValueId const weight = step.node->inputs[static_cast<std::size_t>(packing.input)];
        packed_.push_back(program->packed->get(weight, *program->graph->value(weight).constant, packing));
    }
    return {.inputs = {first_view, step.inputs.size()},
            .outputs = {first_view + step.inputs.size(), step.outputs.size()},
            .packed = {first_packed, step.selection.packings.size()},
            .workspace = on_.arena.data() + step.workspace_offset,
            .threads = on_.memory.is_host() ? &on_.threads : nullptr,
            .stream = on_.queue.handle()};
}

std::size_t BoundProgram::own_bytes() const {
    return (once.capacity() + steps.capacity()) * sizeof(BoundStep) + views_.capacity() * sizeof(TensorView) +
           packed_.capacity() * sizeof(std::byte const*);
}

}  // namespace vitrum
