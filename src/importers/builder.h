// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <unordered_map>

#include "backends/backend.h"
#include "base/check.h"
#include "formats/text.h"
#include "ir/graph.h"

namespace vitrum::onnx {

/// Makes the graph: checks operators against their rules and computes those whose inputs are all constants. The helpers
/// are what ONNX's operators are put together from.
class Builder {
public:
    Builder(Backend const& evaluator, std::string file) : evaluator_(evaluator), threads_(1), file_(std::move(file)) {}

    Graph graph;

    /// What errors name and what made nodes come from.
    void enter(std::string label, std::string provenance) {
        label_ = std::move(label);
        provenance_ = std::move(provenance);
    }
    [[nodiscard]] std::string const& label() const { return label_; }
    /// The arguments may be a file's own texts.
    template <class... Args>
    [[noreturn]] void refuse(fmt::format_string<Args...> text, Args&&... args) const {
        std::string const why = one_line(fmt::format(text, std::forward<Args>(args)...));
        throw Error(fmt::format("{}: {}: {}", file_, label_, why));
    }

    std::vector<ValueId> emit_all(dense::Op const& op, std::vector<ValueId> inputs);
    ValueId emit(dense::Op const& op, std::vector<ValueId> inputs) { return emit_all(op, std::move(inputs)).front(); }

    [[nodiscard]] DenseType type(ValueId id) const { return graph.value(id).dense_type(); }
    [[nodiscard]] Shape shape(ValueId id) const { return type(id).shape; }
    [[nodiscard]] DType dtype(ValueId id) const { return graph.value(id).dtype; }
    [[nodiscard]] bool is_known(ValueId id) const { return graph.is_constant(id); }
    /// The numbers of a value that must be known by now; `what` names it in the error.
    [[nodiscard]] std::vector<std::int64_t> integers(ValueId id, std::string_view what) const;
    [[nodiscard]] std::vector<double> numbers(ValueId id, std::string_view what) const;

    ValueId constant(Constant constant) { return graph.add_constant("", std::move(constant)); }
    ValueId constant(DType dtype, Shape const& shape, std::span<double const> values);
    ValueId integers_constant(Shape const& shape, std::span<std::int64_t const> values);
    ValueId scalar(DType dtype, double value) { return constant(dtype, {}, std::span(&value, 1)); }

    ValueId cast(ValueId x, DType to) { return dtype(x) == to ? x : emit(dense::Cast{to}, {x}); }
    ValueId reshape(ValueId x, Shape const& to);
    ValueId transpose(ValueId x, std::vector<int> const& order);
    ValueId expand(ValueId x, Shape const& to);
    ValueId slice(ValueId x, int axis, std::int64_t start, std::int64_t count, std::int64_t step = 1);
    ValueId concat(std::vector<ValueId> const& parts, int axis);
    ValueId unary(dense::UnaryFunction f, ValueId x, float a = 0, float b = 0) {
        return emit(dense::Unary{f, a, b}, {x});
    }
    ValueId binary(dense::BinaryFunction f, ValueId a, ValueId b) { return emit(dense::Binary{f}, {a, b}); }
    ValueId reduce(dense::ReduceFunction f, ValueId x, std::uint32_t axes) { return emit(dense::Reduce{f, axes}, {x}); }

    /// Throws Error where there are more dimensions than a Shape has.
    [[nodiscard]] Shape sized(std::vector<std::int64_t> const& extents) const {
        if (extents.size() > Shape::kMaxRank) refuse("{} dimensions; at most {}", extents.size(), Shape::kMaxRank);
        return Shape(extents);
    }
    /// Throws Error where an axis is none of so many dimensions; negative ones count from the end.
    [[nodiscard]] int axis(std::int64_t axis, int rank) const;

    // Activations [N, H, W, C], on which the fast operators work.

    /// The activation that a dense value was made from, or kNone.
    [[nodiscard]] ValueId pixels_behind(ValueId x) const {
        auto const found = pixels_.find(x);
        return found == pixels_.end() ? kNone : found->second;
    }
    ValueId to_pixels(ValueId x);
    /// Appends an operator on activations and brings its result back to dense.
    ValueId emit_on_pixels(Op op, std::vector<ValueId> inputs) {
        return emit_on_pixels(graph.add(std::move(op), std::move(inputs), provenance_));
    }
    /// The dense value of an activation.
    ValueId emit_on_pixels(ValueId pixels);
    /// A value of its own, also of a constant.
    ValueId copied(ValueId x);

private:
    void evaluate(Dense const& op, std::vector<ValueId> const& inputs, std::vector<DenseType> const& outputs,
                  std::vector<ValueId>& made);

    Backend const& evaluator_;
    std::unordered_map<ValueId, ValueId> pixels_;  ///< by the dense value made from them
    ThreadPool threads_;
    std::string file_, label_, provenance_;
};

}  // namespace vitrum::onnx
