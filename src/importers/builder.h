// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <unordered_map>

#include "backends/backend.h"
#include "base/check.h"
#include "base/threads.h"
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

    [[nodiscard]] DenseType type(ValueId id) const { return tensor(id).dense_type(); }
    [[nodiscard]] Shape shape(ValueId id) const { return type(id).shape; }
    [[nodiscard]] DType dtype(ValueId id) const { return tensor(id).dtype; }
    [[nodiscard]] bool is_known(ValueId id) const { return id > kNone && graph.is_constant(id); }
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

    // Lists of values (ONNX's sequences) are known here only: a graph has what is in them. Ids below kNone stand for
    // them, so that names, branches, loops and functions carry both alike.

    static constexpr std::size_t kMostItems = std::size_t{1} << 22;  // of all lists; a damaged file's loop ends here
    ValueId list(std::vector<ValueId> items) {
        items_ += items.size() + 1;
        if (items_ > kMostItems) refuse("lists of more than {} tensors", kMostItems);
        for (ValueId const item : items) static_cast<void>(tensor(item));  // no list in a list
        lists_.push_back(std::move(items));
        return kNone - static_cast<ValueId>(lists_.size());
    }
    [[nodiscard]] static bool is_list(ValueId id) { return id < kNone; }
    [[nodiscard]] std::vector<ValueId> const& items(ValueId id) const {
        if (!is_list(id)) refuse("a tensor where a list of them is expected");
        return lists_.at(static_cast<std::size_t>(kNone - id - 1));
    }

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
    [[nodiscard]] Value const& tensor(ValueId id) const {
        if (is_list(id)) refuse("a list of tensors where a tensor is expected");
        if (id == kNone) refuse("an absent value where a tensor is expected");
        return graph.value(id);
    }
    void evaluate(Dense const& op, std::vector<ValueId> const& inputs, std::vector<DenseType> const& outputs,
                  std::vector<ValueId>& made);

    Backend const& evaluator_;
    std::vector<std::vector<ValueId>> lists_;
    std::unordered_map<ValueId, ValueId> pixels_;  ///< by the dense value made from them
    ThreadPool threads_;
    std::string file_, label_, provenance_;
    std::size_t items_ = 0;  ///< of all lists
};

}  // namespace vitrum::onnx
