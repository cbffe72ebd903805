// SPDX-License-Identifier: Apache-2.0
#include "program.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "arena_planner.h"
#include "base/check.h"

namespace vitrum {
namespace {

void check_sizes(Sizes const& sizes) {
    // Far beyond any picture, and small enough that no product of extents below overflows.
    constexpr std::int64_t kMaxSide = 1 << 24;
    constexpr std::int64_t kMaxPixels = std::int64_t{1} << 36;
    bool const ok = sizes.n >= 1 && sizes.h >= 1 && sizes.w >= 1 && sizes.n <= kMaxSide && sizes.h <= kMaxSide &&
                    sizes.w <= kMaxSide && sizes.n * sizes.h <= kMaxPixels / sizes.w;
    if (!ok) {
        fail_as(ErrorKind::usage, "{}×{}×{} (batch, height, width) is out of range: 1 to {} each, 2^36 pixels in all",
                sizes.n, sizes.h, sizes.w, kMaxSide);
    }
}

/// The one demand that symbolic extents cannot settle: engine files come from strangers.
void check_crop(Node const& node, Problem const& problem) {
    if (!std::holds_alternative<Crop>(node.op)) return;
    Shape const& from = problem.inputs[Crop::kX];
    Shape const& to = problem.outputs.front();
    if (to[1] > from[1] || to[2] > from[2])
        fail("{}: {} cannot be cut out of {}", node.provenance, to.str(), from.str());
}

/// Chooses kernels, then lets outputs take the place of inputs that die, then packs what is left into an arena.
class ProgramMaker {
public:
    ProgramMaker(Graph const& graph, Backend const& backend, Sizes const& sizes, int threads, Precision precision)
        : graph_(graph), backend_(backend), threads_(threads), precision_(precision) {
        program_.sizes = sizes;
    }

    Program make() {
        find_lifetimes();
        keep_what_never_varies();
        for (std::size_t n = 0; n < graph_.nodes.size(); ++n) choose_kernel(n);
        place();
        return std::move(program_);
    }

private:
    struct Life {
        int first = 0, last = 0;
        ValueId memory = kNone;  ///< the value whose block this one lies in
        std::size_t block = 0;
    };

    [[nodiscard]] Life& life(ValueId id) { return lives_[static_cast<std::size_t>(id)]; }
    [[nodiscard]] bool is_graph_edge(ValueId id) const {
        return std::ranges::find(graph_.inputs, id) != graph_.inputs.end() ||
               std::ranges::find(graph_.outputs, id) != graph_.outputs.end();
    }

    [[nodiscard]] Shape shape(ValueId id) const {
        if (id == kNone) return {};
        std::vector<std::int64_t> extents;
        for (Dim const& dim : graph_.value(id).dims) extents.push_back(dim.at(program_.sizes));
        return Shape(extents);
    }

    [[nodiscard]] std::int64_t stride(ValueId id) const {
        auto const channels = graph_.value(id).dims.back().at(program_.sizes);
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
        auto const end = static_cast<int>(graph_.nodes.size());
        for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
            for (ValueId const id : graph_.nodes[n].inputs) {
                if (id != kNone) life(id).last = static_cast<int>(n);
            }
            for (ValueId const output : graph_.nodes[n].outputs) {
                life(output) = {static_cast<int>(n), static_cast<int>(n), output, 0};
            }
        }
        // Inputs keep their values through the run, so that a run can be repeated.
        for (ValueId const input : graph_.inputs) life(input) = {0, end, input, 0};
        for (ValueId const output : graph_.outputs) life(output).last = end;
    }

    /// What depends on the sizes and weights alone (position embeddings, learned queries) is computed once. What
    /// other nodes read of it keeps its memory for good, since runs are repeated.
    void keep_what_never_varies() {
        auto const end = static_cast<int>(graph_.nodes.size());
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
        Problem problem;
        problem.precision = precision_;
        for (ValueId const id : node.inputs) {
            problem.inputs.push_back(shape(id));
            problem.present.push_back(id != kNone);
        }
        for (ValueId const id : node.outputs) problem.outputs.push_back(shape(id));
        check_crop(node, problem);
        Step step;
        step.node = &node;
        step.once = once_[n];
        step.selection = backend_.select(node.op, problem, threads_);
        if (step.selection.launch == nullptr) {
            std::vector<std::string> reasons;
            for (Refusal const& r : step.selection.refusals) reasons.push_back(fmt::format("{}: {}", r.kernel, r.why));
            fail("no {} kernel runs {} ({}): {}", backend_.name(), name_of(node.op), node.provenance,
                 fmt::join(reasons, "; "));
        }
        reuse_dying_input(n, step.selection.reusable_inputs);
        program_.steps.push_back(std::move(step));
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
        for (std::size_t v = 0; v < graph_.values.size(); ++v) {
            auto const id = static_cast<ValueId>(v);
            if (life(id).memory == id) {
                life(id).block = blocks.size();
                blocks.push_back({bytes(id), life(id).first, life(id).last});
            }
        }
        for (Node const& node : graph_.nodes) {
            for (ValueId const output : node.outputs) {
                auto& block = blocks[life(life(output).memory).block];
                block.first = std::min(block.first, life(output).first);
                block.last = std::max(block.last, life(output).last);
            }
        }
        std::size_t const first_workspace = blocks.size();
        for (std::size_t n = 0; n < program_.steps.size(); ++n) {
            blocks.push_back({program_.steps[n].selection.workspace_bytes, static_cast<int>(n), static_cast<int>(n)});
        }
        ArenaPlan const plan = plan_arena(blocks);
        program_.arena_bytes = plan.bytes;
        for (std::size_t n = 0; n < program_.steps.size(); ++n) {
            Step& step = program_.steps[n];
            for (ValueId const id : step.node->inputs) step.inputs.push_back(operand(id, plan));
            for (ValueId const id : step.node->outputs) step.outputs.push_back(operand(id, plan));
            step.workspace_offset = plan.offsets[first_workspace + n];
            count_work(step);
        }
        for (ValueId const id : graph_.inputs) program_.inputs.push_back(operand(id, plan));
        for (ValueId const id : graph_.outputs) program_.outputs.push_back(operand(id, plan));
    }

    Operand operand(ValueId id, ArenaPlan const& plan) {
        if (id == kNone) return {};
        if (auto const& constant = graph_.value(id).constant) {
            auto* const data = const_cast<std::byte*>(constant->bytes());
            return {Operand::Kind::constant,
                    {data, constant->dtype, constant->shape, constant->shape.contiguous_strides()},
                    0};
        }
        Shape const extents = shape(id);
        TensorView const view = is_dense(id)
                                    ? TensorView{nullptr, graph_.value(id).dtype, extents, extents.contiguous_strides()}
                                    : nhwc_view(nullptr, extents, stride(id));
        return {Operand::Kind::arena, view, plan.offsets[life(life(id).memory).block]};
    }

    void count_work(Step& step) const {
        step.flops = flops(graph_, *step.node, program_.sizes);
        for (auto const* const ids : {&step.node->inputs, &step.node->outputs}) {
            for (ValueId const id : *ids) {
                if (id == kNone) continue;
                auto const size = static_cast<double>(size_of(graph_.value(id).dtype));
                step.bytes += static_cast<double>(shape(id).count()) * size;
            }
        }
    }

    Graph const& graph_;
    Backend const& backend_;
    int threads_;
    Precision precision_;
    std::vector<Life> lives_;
    std::vector<bool> once_;  ///< per node
    Program program_;
};

}  // namespace

Program make_program(Graph const& graph, Backend const& backend, Sizes const& sizes, int threads, Precision precision) {
    check_sizes(sizes);
    return ProgramMaker(graph, backend, sizes, threads, precision).make();
}

}  // namespace vitrum
