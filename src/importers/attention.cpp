// SPDX-License-Identifier: Apache-2.0
// Scaled dot product attention, which exporters write for opset 23 and newer.
#include <array>
#include <cmath>
#include <limits>

#include "call.h"

namespace vitrum::onnx {
namespace {

using B = dense::BinaryFunction;
using Values = std::vector<ValueId>;

constexpr double kHidden = -std::numeric_limits<double>::infinity();

/// [N, S, heads · D] as [N, heads, S, D]; rank 4 is that already.
ValueId by_heads(Call const& c, ValueId x, std::string_view attribute) {
    Shape const shape = c.b.shape(x);
    if (shape.rank() == 4) return x;
    std::int64_t const heads = c.integer(attribute, 0);
    if (shape.rank() != 3 || heads < 1 || shape[2] % heads != 0) c.b.refuse("{} in {} heads", shape.str(), heads);
    return c.b.transpose(c.b.reshape(x, {shape[0], shape[1], heads, shape[2] / heads}), {0, 2, 1, 3});
}

/// Keys or values of each query's head, where several queries share one.
ValueId repeated(Call const& c, ValueId x, std::int64_t heads) {
    Shape const s = c.b.shape(x);
    if (s[1] == heads) return x;
    if (s[1] < 1 || heads % s[1] != 0) c.b.refuse("{} heads of queries share {} of keys", heads, s[1]);
    ValueId const wide =
        c.b.expand(c.b.reshape(x, {s[0], s[1], 1, s[2], s[3]}), {s[0], s[1], heads / s[1], s[2], s[3]});
    return c.b.reshape(wide, {s[0], heads, s[2], s[3]});
}

class Masks {
public:
    Masks(Call const& c, std::int64_t queries, std::int64_t keys, std::int64_t past)
        : c_(c), queries_(queries), keys_(keys), past_(past) {}

    /// What is added to the logits, or kNone: of mask, order, windows and padding.
    ValueId bias() {
        ValueId bias = stated();
        bool const is_causal = c_.integer("is_causal", 0) != 0;
        std::int64_t const left = c_.integer("left_window_size", -1), right = c_.integer("right_window_size", -1);
        ValueId const key = line({1, 1, 1, keys_});
        if (c_.has(6)) {
            ValueId const counts = c_.b.reshape(c_.b.cast(c_.in(6), DType::i64), {c_.shape(6).count(), 1, 1, 1});
            allow(bias, c_.b.binary(B::less, key, counts));
        }
        if (is_causal) allow(bias, c_.b.binary(B::less_or_equal, key, place()));
        if (right >= 0) allow(bias, c_.b.binary(B::less_or_equal, key, moved(place(), right)));
        if (left >= 0) allow(bias, c_.b.binary(B::greater_or_equal, key, moved(place(), -left)));
        return bias;
    }

private:
    /// The mask input as numbers to add, its last extent filled up by what is hidden.
    ValueId stated() {
        if (!c_.has(3)) return kNone;
        ValueId mask = c_.in(3);
        if (c_.b.dtype(mask) == DType::boolean) mask = hidden_unless(mask);
        mask = c_.b.cast(mask, DType::f32);
        Shape const shape = c_.b.shape(mask);
        std::int64_t const missing = shape.rank() == 0 ? 0 : keys_ - shape[shape.rank() - 1];
        if (missing <= 0 || shape[shape.rank() - 1] == 1) return mask;
        dense::Pad pad{dense::PadMode::constant, shape, shape};
        for (int i = 0; i < shape.rank(); ++i) pad.before[i] = pad.behind[i] = 0;
        pad.behind[shape.rank() - 1] = missing;
        return c_.b.emit(pad, {mask, c_.b.scalar(DType::f32, kHidden)});
    }
    ValueId hidden_unless(ValueId allowed) {
        return c_.b.emit(dense::Where{}, {allowed, c_.b.scalar(DType::f32, 0), c_.b.scalar(DType::f32, kHidden)});
    }
    void allow(ValueId& bias, ValueId allowed) {
        ValueId const more = hidden_unless(allowed);
        bias = bias == kNone ? more : c_.b.binary(B::add, bias, more);
    }
    ValueId line(Shape const& shape) {
        std::vector<std::int64_t> numbers(static_cast<std::size_t>(shape.count()));
        for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::int64_t>(i);
        return c_.b.integers_constant(shape, numbers);
    }
    ValueId moved(ValueId x, std::int64_t by) {
        return c_.b.binary(B::add, x, c_.b.integers_constant({}, std::span(&by, 1)));
    }
    /// A query's place among the keys.
    ValueId place() {
        ValueId const query = line({1, 1, queries_, 1});
        if (!c_.has(6)) return moved(query, past_);
        ValueId const counts = c_.b.reshape(c_.b.cast(c_.in(6), DType::i64), {c_.shape(6).count(), 1, 1, 1});
        return moved(c_.b.binary(B::add, query, counts), -queries_);
    }

    Call const& c_;
    std::int64_t queries_, keys_, past_;
};

/// A query that sees nothing gives zeros.
ValueId probabilities(Call const& c, ValueId logits, bool is_masked) {
    ValueId const p = c.b.emit(dense::Softmax{3}, {logits});
    if (!is_masked) return p;
    ValueId const largest = c.b.reduce(dense::ReduceFunction::maximum, logits, 0b1000);
    ValueId const sees_nothing = c.b.binary(B::equal, largest, c.b.scalar(DType::f32, kHidden));
    return c.b.emit(dense::Where{}, {sees_nothing, c.b.scalar(DType::f32, 0), p});
}

Values attention(Call const& c) {
    DType const type = c.b.dtype(c.in(0));
    ValueId const q = c.b.cast(by_heads(c, c.in(0), "q_num_heads"), DType::f32);
    ValueId k = by_heads(c, c.in(1), "kv_num_heads"), v = by_heads(c, c.in(2), "kv_num_heads");
    std::int64_t const past = c.has(4) ? c.shape(4)[2] : 0;
    if (c.has(4)) k = c.b.concat({c.in(4), k}, 2);
    if (c.has(5)) v = c.b.concat({c.in(5), v}, 2);
    Values results{kNone, k, v};
    Shape const queries = c.b.shape(q);
    k = c.b.cast(repeated(c, k, queries[1]), DType::f32);
    v = c.b.cast(repeated(c, v, queries[1]), DType::f32);
    auto const number = [&](double value) { return c.b.scalar(DType::f32, value); };
    double const scale = c.has_attribute("scale") ? static_cast<double>(c.number("scale", 1))
                                                  : 1 / std::sqrt(static_cast<double>(queries[3]));
    ValueId const logits =
        c.b.binary(B::multiply, c.b.emit(dense::MatMul{}, {q, c.b.transpose(k, {0, 1, 3, 2})}), number(scale));
    ValueId capped = logits;
    if (float const cap = c.number("softcap", 0); cap != 0) {
        ValueId const limit = number(static_cast<double>(cap));
        capped = c.b.binary(B::divide, logits, limit);
        capped = c.b.binary(B::multiply, c.b.unary(dense::UnaryFunction::tanh, capped), limit);
    }
    ValueId const bias = Masks(c, queries[2], c.b.shape(k)[2], past).bias();
    ValueId const masked = bias == kNone ? capped : c.b.binary(B::add, capped, bias);
    ValueId const p = probabilities(c, masked, bias != kNone);
    ValueId y = c.b.emit(dense::MatMul{}, {p, v});
    if (c.rank(0) == 3) {
        Shape const s = c.b.shape(y);
        y = c.b.reshape(c.b.transpose(y, {0, 2, 1, 3}), {s[0], s[2], s[1] * s[3]});
    }
    results[0] = c.b.cast(y, type);
    auto const stage = c.integer("qk_matmul_output_mode", 0);
    results.push_back(c.b.cast(stage == 0 ? logits : stage == 1 ? capped : stage == 2 ? masked : p, type));
    return results;
}

constexpr auto kAttentionRules = std::to_array<NamedRule>({{"Attention", attention}});

}  // namespace

std::span<NamedRule const> attention_rules() {
    return kAttentionRules;
}

}  // namespace vitrum::onnx
