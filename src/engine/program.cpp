// SPDX-License-Identifier: Apache-2.0
#include "program.h"

#include <algorithm>
#include <array>

#include <fmt/ranges.h>

#include "arena_planner.h"
#include "base/check.h"
#include "program_checks.h"
#include "step_chains.h"
#include "step_needs.h"
#include "strips.h"

namespace vitrum {
namespace {

/// Chooses kernels, then lets outputs take the place of inputs that die, then packs what is left into an arena.
class ProgramMaker {
public:
    ProgramMaker(Graph const& graph, Backend const& backend, Sizes const& sizes, int threads, Precision precision,
                 std::size_t strip_bytes)
        : graph_(graph),
          backend_(backend),
          threads_(threads),
          precision_(precision),
          strips_(cut_into_strips(graph, sizes, strip_bytes)) {
        program_.sizes = sizes;
        program_.precision = precision;
    }

    Program make() {
        find_shapes();
        find_lifetimes();
        program_.steps.reserve(static_cast<std::size_t>(steps()));
        keep_what_never_varies();
        for (std::size_t n = 0; n < whole_nodes(); ++n) choose_kernel(n);
        if (strips_) choose_strip_kernels();
        place();
        if (is_device()) find_needs(program_);
        find_chains(program_, backend_, whole_nodes());
        count_bytes();
        return std::move(program_);
    }

private:
    struct Life {
        int first = 0, last = 0;
        ValueId memory = kNone;  ///< the value whose block this one lies in
        std::size_t block = 0;
    };

    /// What a strip's step reads and writes: rows of a value, in the value's own memory or in a strip's.
    struct StripOperand {
        Rows rows;
        std::int64_t first_held = 0;  ///< the row that its memory begins with
        int buffer = -1;              ///< among strip_buffers_; −1: the value's own memory
    };
    struct StripOperands {
        StripOperand input, output;
    };

    /// The nodes that make whole values.
    [[nodiscard]] std::size_t whole_nodes() const { return strips_ ? strips_->first : graph_.nodes.size(); }
    /// Steps in all. Whole nodes and their steps have the same numbers.
    [[nodiscard]] int steps() const {
        std::size_t const per_strip = graph_.nodes.size() - whole_nodes();
        return static_cast<int>(whole_nodes() + (strips_ ? strips_->strips.size() * per_strip : 0));
    }

    /// Where steps may run side by side.
    [[nodiscard]] bool is_device() const { return backend_.memory() != nullptr; }

    [[nodiscard]] Life& life(ValueId id) { return lives_[static_cast<std::size_t>(id)]; }
    [[nodiscard]] bool is_graph_edge(ValueId id) const {
        return std::ranges::find(graph_.inputs, id) != graph_.inputs.end() ||
               std::ranges::find(graph_.outputs, id) != graph_.outputs.end();
    }

    /// Of all values, since most are asked for several times.
    void find_shapes() {
        shapes_.reserve(graph_.values.size());
        for (Value const& value : graph_.values) {
            std::array<std::int64_t, Shape::kMaxRank> extents{};
            std::ranges::transform(value.dims, extents.begin(), [&](Dim const& dim) { return dim.at(program_.sizes); });
            shapes_.emplace_back(std::span(extents).first(value.dims.size()));
        }
    }
    [[nodiscard]] Shape const& shape(ValueId id) const {
        static constexpr Shape kAbsent;
        return id == kNone ? kAbsent : shapes_[static_cast<std::size_t>(id)];
    }

    [[nodiscard]] std::int64_t stride(ValueId id) const {
        Shape const& extents = shape(id);
        auto const channels = extents[extents.rank() - 1];
        return is_graph_edge(id) ? channels : backend_.pixel_stride(channels);  // callers see packed pixels
    }

    [[nodiscard]] bool is_dense(ValueId id) const { return graph_.value(id).layout == Layout::dense; }

    [[nodiscard]] std::size_t bytes(ValueId id) const {
        Shape extents = shape(id);
        if (is_dense(id)) return static_cast<std::size_t>(extents.count()) * size_of(graph_.value(id).dtype);
        for (std::int64_t const extent : extents) {
            if (extent < 1)
                fail_as(ErrorKind::usage, "{}×{} is too small for this network", program_.sizes.h, program_.sizes.w);
        }
        extents[3] = stride(id);
        auto const count = extents.checked_count();
        if (!count || *count > (std::int64_t{1} << 58)) {
            fail_as(ErrorKind::out_of_memory, "a picture of {}×{} needs more memory than any machine has; use tiles",
                    program_.sizes.w, program_.sizes.h);
        }
        return static_cast<std::size_t>(*count) * sizeof(float);
    }

    void find_lifetimes() {
        lives_.resize(graph_.values.size());
        int const end = steps();
        for (std::size_t n = 0; n < whole_nodes(); ++n) {
            for (ValueId const id : graph_.nodes[n].inputs) {
                if (id != kNone) life(id).last = static_cast<int>(n);
            }
            for (ValueId const output : graph_.nodes[n].outputs) {
                life(output) = {static_cast<int>(n), static_cast<int>(n), output, 0};
            }
        }
        if (strips_) {  // every strip reads the chain's input and writes the graph's output
            life(graph_.nodes[strips_->first].inputs.front()).last = end;
            ValueId const output = graph_.outputs.front();
            life(output) = {static_cast<int>(strips_->first), end, output, 0};
        }
        // Inputs keep their values through the run, so that a run can be repeated.
        for (ValueId const input : graph_.inputs) life(input) = {0, end, input, 0};
        for (ValueId const output : graph_.outputs) life(output).last = end;
    }

    /// What depends on the sizes and weights alone (position embeddings, learned queries) is computed once. What
    /// other nodes read of it keeps its memory for good, since runs are repeated.
    void keep_what_never_varies() {
        int const end = steps();
        std::vector<bool> varies(graph_.values.size(), false);
        auto const is_varying = [&](ValueId id) { return id != kNone && varies[static_cast<std::size_t>(id)]; };
        for (ValueId const input : graph_.inputs) varies[static_cast<std::size_t>(input)] = true;
        for (Node const& node : graph_.nodes) {
            bool const once = std::ranges::none_of(node.inputs, is_varying);
            once_.push_back(once);
            if (once) continue;
            for (ValueId const output : node.outputs) varies[static_cast<std::size_t>(output)] = true;
        }
        auto const keep = [&](ValueId id) {
            if (id == kNone || is_varying(id) || graph_.is_constant(id)) return;
            life(id).first = 0;
            life(id).last = end;
        };
        for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
            if (!once_[n]) std::ranges::for_each(graph_.nodes[n].inputs, keep);
        }
        std::ranges::for_each(graph_.outputs, keep);
    }

    void choose_kernel(std::size_t n) {
        Node const& node = graph_.nodes[n];
        Step step = select(node, problem_of(node));
        step.once = once_[n];
        reuse_dying_input(n, step.selection.reusable_inputs);
        program_.steps.push_back(std::move(step));
    }

    [[nodiscard]] Problem problem_of(Node const& node) const {
        Problem problem;
        problem.precision = precision_;
        problem.inputs.reserve(node.inputs.size());
        problem.present.reserve(node.inputs.size());
        for (ValueId const id : node.inputs) {
            problem.inputs.push_back(shape(id));
            problem.present.push_back(id != kNone);
        }
        for (ValueId const id : node.outputs) problem.outputs.push_back(shape(id));
        check_crop(node, problem);
        return problem;
    }

    [[nodiscard]] Step select(Node const& node, Problem const& problem) const {
        Step step;
        step.node = &node;
        step.selection = backend_.select(node.op, problem, threads_);
        if (step.selection.launch == nullptr) {
            std::vector<std::string> reasons;
            for (Refusal const& r : step.selection.refusals) reasons.push_back(fmt::format("{}: {}", r.kernel, r.why));
            fail("no {} kernel runs {} ({}): {}", backend_.name(), name_of(node.op), node.provenance,
                 fmt::join(reasons, "; "));
        }
        return step;
    }

    void choose_strip_kernels() {
        for (std::vector<StripStep> const& strip : strips_->strips) {
            for (std::size_t i = 0; i < strip.size(); ++i) {
                bool const is_first = i == 0, is_last = i + 1 == strip.size();
                StripOperands operands{{strip[i].input}, {strip[i].output}};
                if (!is_first) {
                    operands.input.buffer = static_cast<int>(strip_buffers_.size()) - 1;
                    operands.input.first_held = strip[i - 1].output.begin;
                }
                if (!is_last) {
                    operands.output.buffer = static_cast<int>(strip_buffers_.size());
                    operands.output.first_held = strip[i].output.begin;
                    add_strip_buffer(strip[i]);
                }
                choose_strip_kernel(strip[i], operands);
            }
        }
    }
    /// Memory that the next step writes and the one behind it reads.
    void add_strip_buffer(StripStep const& step) {
        ValueId const output = graph_.nodes[step.node].outputs.front();
        auto const row = static_cast<std::size_t>(shape(output)[2] * stride(output)) * sizeof(float);
        auto const now = static_cast<int>(program_.steps.size());
        strip_buffers_.push_back({row * static_cast<std::size_t>(step.output.count()), now, now + 1});
    }
    void choose_strip_kernel(StripStep const& strip, StripOperands const& operands) {
        Node const& node = graph_.nodes[strip.node];
        Problem problem = problem_of(node);
        problem.inputs.front()[1] = strip.input.count();
        problem.outputs.front()[1] = strip.output.count();
        program_.steps.push_back(select(node, problem));
        strip_operands_.push_back(operands);
    }

    /// The first output takes over the memory of an input that nobody reads later, where the kernel allows it.
    void reuse_dying_input(std::size_t n, std::vector<int> const& reusable) {
        Node const& node = graph_.nodes[n];
        ValueId const output = node.outputs.front();
        if (is_graph_edge(output)) return;
        for (int const i : reusable) {
            ValueId const input = node.inputs[static_cast<std::size_t>(i)];
            if (input == kNone || graph_.is_constant(input) || is_graph_edge(input)) continue;
            if (life(input).last != static_cast<int>(n) || bytes(input) != bytes(output)) continue;
            if (read_elsewhere(node, input, reusable)) continue;
            life(output).memory = life(input).memory;
            return;
        }
    }

    /// Whether the node also reads the value through an input that must stay intact.
    static bool read_elsewhere(Node const& node, ValueId value, std::vector<int> const& reusable) {
        for (std::size_t i = 0; i < node.inputs.size(); ++i) {
            if (node.inputs[i] == value && std::ranges::find(reusable, static_cast<int>(i)) == reusable.end())
                return true;
        }
        return false;
    }

    void place() {
        std::vector<ArenaBlock> blocks;
        blocks.reserve(whole_nodes() + program_.steps.size() + graph_.inputs.size() + strip_buffers_.size());
        for (std::size_t v = 0; v < graph_.values.size(); ++v) {
            auto const id = static_cast<ValueId>(v);
            if (life(id).memory == id) {
                life(id).block = blocks.size();
                blocks.push_back({bytes(id), life(id).first, life(id).last});
            }
        }
        for (std::size_t n = 0; n < whole_nodes(); ++n) {
            for (ValueId const output : graph_.nodes[n].outputs) {
                auto& block = blocks[life(life(output).memory).block];
                block.first = std::min(block.first, life(output).first);
                block.last = std::max(block.last, life(output).last);
            }
            for (auto const* const ids : {&graph_.nodes[n].inputs, &graph_.nodes[n].outputs}) {
                for (ValueId const id : *ids) {
                    if (id == kNone || graph_.is_constant(id)) continue;
                    blocks[life(life(id).memory).block].users.push_back(static_cast<int>(n));
                }
            }
        }
        std::size_t const first_workspace = blocks.size();
        for (std::size_t n = 0; n < program_.steps.size(); ++n) {
            auto const step = static_cast<int>(n);
            std::size_t const bytes = program_.steps[n].selection.workspace_bytes;
            blocks.push_back({bytes, step, step, {}});
            if (bytes > 0) blocks.back().users.push_back(step);
        }
        first_strip_block_ = blocks.size();
        blocks.insert(blocks.end(), strip_buffers_.begin(), strip_buffers_.end());
        ArenaPlan const plan = is_device() && !strips_ ? plan_arena(blocks, data_order(), kRest) : plan_arena(blocks);
        program_.arena_bytes = plan.bytes;
        for (std::size_t n = 0; n < program_.steps.size(); ++n) {
            Step& step = program_.steps[n];
            step.inputs.reserve(step.node->inputs.size());
            for (ValueId const id : step.node->inputs) step.inputs.push_back(operand(id, plan));
            for (ValueId const id : step.node->outputs) step.outputs.push_back(operand(id, plan));
            double share = 1;
            if (n >= whole_nodes()) {
                StripOperands const& strip = strip_operands_[n - whole_nodes()];
                narrow(step.inputs.front(), strip.input, plan);
                narrow(step.outputs.front(), strip.output, plan);
                share = static_cast<double>(strip.output.rows.count()) /
                        static_cast<double>(shape(step.node->outputs.front())[1]);
            }
            step.workspace_offset = plan.offsets[first_workspace + n];
            count_work(step, share);
        }
        for (ValueId const id : graph_.inputs) program_.inputs.push_back(operand(id, plan));
        for (ValueId const id : graph_.outputs) program_.outputs.push_back(operand(id, plan));
    }

    /// Which nodes come before others since these read, at some remove, what those have made.
    [[nodiscard]] Precedence data_order() const {
        Precedence order(graph_.nodes.size());
        std::vector<std::optional<std::size_t>> makers(graph_.values.size());
        for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
            for (ValueId const id : graph_.nodes[n].inputs) {
                if (id == kNone) continue;
                if (auto const maker = makers[static_cast<std::size_t>(id)]) order.order(*maker, n);
            }
            for (ValueId const id : graph_.nodes[n].outputs) makers[static_cast<std::size_t>(id)] = n;
        }
        return order;
    }

    Operand operand(ValueId id, ArenaPlan const& plan) {
        if (id == kNone) return {};
        if (auto const& constant = graph_.value(id).constant) {
            auto* const data = const_cast<std::byte*>(constant->bytes());
            return {Operand::Kind::constant,
                    {data, constant->dtype, constant->shape, constant->shape.contiguous_strides()},
                    0};
        }
        Shape const& extents = shape(id);
        TensorView const view = is_dense(id)
                                    ? TensorView{nullptr, graph_.value(id).dtype, extents, extents.contiguous_strides()}
                                    : nhwc_view(nullptr, extents, stride(id));
        bool const is_in_strips = life(id).memory == kNone;
        return {Operand::Kind::arena, view, is_in_strips ? 0 : plan.offsets[life(life(id).memory).block]};
    }

    /// Leaves a strip's rows of a value.
    void narrow(Operand& operand, StripOperand const& strip, ArenaPlan const& plan) const {
        if (strip.buffer >= 0)
            operand.offset = plan.offsets[first_strip_block_ + static_cast<std::size_t>(strip.buffer)];
        auto const row = static_cast<std::size_t>(operand.view.strides[1]) * sizeof(float);
        operand.offset += row * static_cast<std::size_t>(strip.rows.begin - strip.first_held);
        operand.view.shape[1] = strip.rows.count();
        operand.view.strides[0] = operand.view.strides[1] * strip.rows.count();
    }

    void count_bytes() {
        std::size_t sum = sizeof(Program);
        for (Step const& step : program_.steps) {
            sum += sizeof(step) + (step.inputs.size() + step.outputs.size()) * sizeof(Operand);
            sum += step.selection.packings.size() * sizeof(Packing) + step.needs.size() * sizeof(std::size_t);
            for (Refusal const& refusal : step.selection.refusals) sum += sizeof(refusal) + refusal.why.size();
        }
        program_.own_bytes = sum;
    }

    void count_work(Step& step, double share) const {
        step.flops = share * flops(graph_, *step.node, program_.sizes);
        for (auto const* const ids : {&step.node->inputs, &step.node->outputs}) {
            for (ValueId const id : *ids) {
                if (id == kNone) continue;
                auto const size = static_cast<double>(size_of(graph_.value(id).dtype));
                step.bytes += share * static_cast<double>(shape(id).count()) * size;
            }
        }
    }

    /// Two layers of a decoder, which the next one's keys and values need not wait for.
    static constexpr int kRest = 40;

    Graph const& graph_;
    Backend const& backend_;
    int threads_;
    Precision precision_;
    std::vector<Shape> shapes_;  ///< by value
    std::vector<Life> lives_;
    std::vector<bool> once_;  ///< per node
    std::optional<StripChain> strips_;
    std::vector<StripOperands> strip_operands_;  ///< per step of strips
    std::vector<ArenaBlock> strip_buffers_;
    std::size_t first_strip_block_ = 0;
    Program program_;
};

}  // namespace

Program make_program(Graph const& graph, Backend const& backend, Sizes const& sizes, int threads, Precision precision,
                     std::size_t strip_bytes) {
    check_sizes(sizes);
    return ProgramMaker(graph, backend, sizes, threads, precision, strip_bytes).make();
}

}  // namespace vitrum
