// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "builder.h"
#include "formats/onnx.h"

namespace vitrum::onnx {

/// One node with its inputs made: what a conversion rule sees.
struct Call {
    Builder& b;
    OnnxNode const& node;
    std::int64_t opset;
    std::vector<ValueId> inputs;  ///< kNone: absent

    [[nodiscard]] bool has(std::size_t i) const { return i < inputs.size() && inputs[i] != kNone; }
    /// An input that must be there.
    [[nodiscard]] ValueId in(std::size_t i) const {
        if (!has(i)) b.refuse("input {} is absent", i);
        return inputs[i];
    }
    [[nodiscard]] bool has_attribute(std::string_view name) const { return node.attribute(name) != nullptr; }
    [[nodiscard]] std::int64_t integer(std::string_view name, std::int64_t otherwise) const {
        auto const* const found = node.attribute(name);
        return found == nullptr ? otherwise : found->integer;
    }
    [[nodiscard]] float number(std::string_view name, float otherwise) const {
        auto const* const found = node.attribute(name);
        return found == nullptr ? otherwise : found->number;
    }
    [[nodiscard]] std::string_view text(std::string_view name, std::string_view otherwise) const {
        auto const* const found = node.attribute(name);
        return found == nullptr ? otherwise : found->text;
    }
    [[nodiscard]] std::vector<std::int64_t> integers(std::string_view name) const {
        auto const* const found = node.attribute(name);
        return found == nullptr ? std::vector<std::int64_t>{} : found->integers;
    }
    /// What newer opsets give as input `i` and older ones as an attribute; nothing where neither is there.
    [[nodiscard]] std::optional<std::vector<std::int64_t>> input_or_attribute(std::size_t i,
                                                                              std::string_view name) const {
        if (has(i)) return b.integers(inputs[i], name);
        if (has_attribute(name)) return integers(name);
        return std::nullopt;
    }
    [[nodiscard]] Shape shape(std::size_t i) const { return b.shape(in(i)); }
    [[nodiscard]] int rank(std::size_t i) const { return shape(i).rank(); }

    /// What a rule for float32 gives for inputs of any floating type: they are cast, and its result back.
    template <class F>
    ValueId in_f32(F const& rule) const {
        DType const type = b.dtype(in(0));
        if (type == DType::f32) return rule(inputs);
        std::vector<ValueId> cast = inputs;
        for (ValueId& id : cast) {
            if (id != kNone && b.dtype(id) == type) id = b.cast(id, DType::f32);
        }
        return b.cast(rule(cast), type);
    }
};

/// The type of TensorProto.DataType's number. Throws Error for those that are not supported.
[[nodiscard]] DType dtype_of(Call const& call, std::int64_t code);

using Rule = std::vector<ValueId> (*)(Call const& call);
struct NamedRule {
    std::string_view op;
    Rule rule;
    std::int64_t since = 7;  ///< the oldest opset whose operator of that name is this one
};

// ONNX's operators and how each is put together from ours, by subject.
[[nodiscard]] std::span<NamedRule const> attention_rules();
[[nodiscard]] std::span<NamedRule const> elementwise_rules();
[[nodiscard]] std::span<NamedRule const> list_rules();
[[nodiscard]] std::span<NamedRule const> shape_rules();
[[nodiscard]] std::span<NamedRule const> index_rules();
[[nodiscard]] std::span<NamedRule const> reduce_rules();
[[nodiscard]] std::span<NamedRule const> product_rules();
[[nodiscard]] std::span<NamedRule const> einsum_rules();
[[nodiscard]] std::span<NamedRule const> resize_rules();
[[nodiscard]] std::span<NamedRule const> quantise_rules();

/// The rule of an operator of ONNX's own domain, or null.
[[nodiscard]] NamedRule const* find_rule(std::string_view op);

}  // namespace vitrum::onnx
