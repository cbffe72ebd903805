// SPDX-License-Identifier: Apache-2.0
// Einstein summation as a product over all letters: operands are turned to one order of dimensions, multiplied, and
// summed. Two operands with letters that meet in both go through a matrix product.
#include <algorithm>
#include <array>

#include "call.h"

namespace vitrum::onnx {
namespace {

using B = dense::BinaryFunction;
using Values = std::vector<ValueId>;

struct Term {
    std::string letters;
    ValueId value;
};

/// Dimensions behind "..." become letters that no equation has: \x01, \x02, … counted from the last.
std::string spelled(Call const& c, std::string_view letters, int rank) {
    auto const dots = letters.find("...");
    if (dots == std::string_view::npos) return std::string(letters);
    int const hidden = rank - static_cast<int>(letters.size()) + 3;
    if (hidden < 0) c.b.refuse("\"{}\" for {} dimensions", letters, rank);
    std::string all(letters.substr(0, dots));
    for (int i = hidden; i > 0; --i) all += static_cast<char>(i);
    return all + std::string(letters.substr(dots + 3));
}

/// A letter that stands twice takes the diagonal.
Term diagonal(Call const& c, Term term) {
    for (std::size_t i = 0; i < term.letters.size(); ++i) {
        auto const again = term.letters.find(term.letters[i], i + 1);
        if (again == std::string::npos) continue;
        Shape const from = c.b.shape(term.value), strides = from.contiguous_strides();
        std::vector<std::int64_t> extents, steps;
        for (int d = 0; d < from.rank(); ++d) {
            if (static_cast<std::size_t>(d) == again) continue;
            extents.push_back(from[d]);
            bool const shared = static_cast<std::size_t>(d) == i;
            steps.push_back(strides[d] + (shared ? strides[static_cast<int>(again)] : 0));
        }
        term.letters.erase(again, 1);
        term.value = c.b.emit(dense::Restride{Shape(extents), Shape(steps), 0}, {term.value});
        return diagonal(c, term);
    }
    return term;
}

/// The term's dimensions in the order of `letters`, extents of 1 for those that it lacks.
ValueId arranged(Builder& b, Term const& term, std::string const& letters) {
    std::vector<int> order;
    std::vector<std::int64_t> extents;
    for (char const letter : letters) {
        auto const place = term.letters.find(letter);
        if (place != std::string::npos) order.push_back(static_cast<int>(place));
        extents.push_back(place == std::string::npos ? 1 : b.shape(term.value)[static_cast<int>(place)]);
    }
    if (letters.size() > Shape::kMaxRank) b.refuse("more than {} letters", Shape::kMaxRank);
    return b.reshape(b.transpose(term.value, order), Shape(extents));
}

std::int64_t extent(Builder& b, ValueId x, int from, int to) {
    std::int64_t count = 1;
    for (int i = from; i < to; ++i) count *= b.shape(x)[i];
    return count;
}

/// Σ over the letters that neither the result nor a later term names.
Term multiplied(Call const& c, Term const& a, Term const& b, std::string const& wanted) {
    std::string batch, left, right, inner;
    for (char const letter : a.letters) {
        bool const in_b = b.letters.find(letter) != std::string::npos, stays = wanted.find(letter) != std::string::npos;
        (in_b ? (stays ? batch : inner) : left) += letter;
    }
    for (char const letter : b.letters) {
        if (a.letters.find(letter) == std::string::npos) right += letter;
    }
    ValueId const x = arranged(c.b, a, batch + left + inner), y = arranged(c.b, b, batch + inner + right);
    int const nb = static_cast<int>(batch.size()), nl = static_cast<int>(left.size()),
              ni = static_cast<int>(inner.size());
    int const nr = static_cast<int>(right.size());
    std::vector<std::int64_t> extents;
    for (int i = 0; i < nb; ++i) extents.push_back(std::max(c.b.shape(x)[i], c.b.shape(y)[i]));
    auto xs = extents, ys = extents;
    for (int i = 0; i < nb; ++i) xs[static_cast<std::size_t>(i)] = c.b.shape(x)[i];
    for (int i = 0; i < nb; ++i) ys[static_cast<std::size_t>(i)] = c.b.shape(y)[i];
    for (auto const count : {extent(c.b, x, nb, nb + nl), extent(c.b, x, nb + nl, nb + nl + ni)}) xs.push_back(count);
    for (auto const count : {extent(c.b, y, nb, nb + ni), extent(c.b, y, nb + ni, nb + ni + nr)}) ys.push_back(count);
    if (xs.size() > Shape::kMaxRank) c.b.refuse("more than {} letters", Shape::kMaxRank);
    ValueId const product = c.b.emit(dense::MatMul{}, {c.b.reshape(x, Shape(xs)), c.b.reshape(y, Shape(ys))});
    for (int i = nb; i < nb + nl; ++i) extents.push_back(c.b.shape(x)[i]);
    for (int i = nb + ni; i < nb + ni + nr; ++i) extents.push_back(c.b.shape(y)[i]);
    return {batch + left + right, c.b.reshape(product, c.b.sized(extents))};
}

/// Letters that nothing wants any more are summed.
Term summed(Call const& c, Term const& term, std::string const& wanted) {
    std::uint32_t axes = 0;
    std::string kept;
    std::vector<std::int64_t> extents;
    for (std::size_t i = 0; i < term.letters.size(); ++i) {
        bool const stays = wanted.find(term.letters[i]) != std::string::npos;
        if (!stays) axes |= 1U << i;
        if (stays) kept += term.letters[i];
        if (stays) extents.push_back(c.b.shape(term.value)[static_cast<int>(i)]);
    }
    if (axes == 0) return term;
    return {kept, c.b.reshape(c.b.reduce(dense::ReduceFunction::sum, term.value, axes), Shape(extents))};
}

Values einsum(Call const& c) {
    std::string equation(c.text("equation", ""));
    std::erase(equation, ' ');
    auto const arrow = equation.find("->");
    std::string const sources = equation.substr(0, arrow);
    std::vector<std::string> parts(1);
    for (char const letter : sources) {
        if (letter == ',') parts.emplace_back();
        else parts.back() += letter;
    }
    if (parts.size() != c.inputs.size()) c.b.refuse("\"{}\" for {} operands", equation, c.inputs.size());
    DType const type = c.b.dtype(c.in(0));
    std::vector<Term> terms;
    std::string all;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        std::string const letters = spelled(c, parts[i], c.rank(i));
        if (std::ssize(letters) != c.rank(i)) c.b.refuse("\"{}\" for {} dimensions", parts[i], c.rank(i));
        all += letters;
        terms.push_back(diagonal(c, {letters, c.b.cast(c.in(i), DType::f32)}));
    }
    std::string result;
    if (arrow == std::string::npos) {  // the letters that stand once, in alphabetical order; hidden ones first
        std::string sorted = all;
        std::ranges::sort(sorted);
        for (char const letter : sorted) {
            bool const once = std::ranges::count(all, letter) == 1 || letter < ' ';
            if (once && result.find(letter) == std::string::npos) result += letter;
        }
    } else {
        int hidden = 0;
        for (char const letter : all) hidden = letter < ' ' ? std::max<int>(hidden, letter) : hidden;
        std::string const stated = equation.substr(arrow + 2);
        int const letters = static_cast<int>(stated.size()) - (stated.find("...") == std::string::npos ? 0 : 3);
        result = spelled(c, stated, letters + hidden);
    }
    Term total = terms.front();
    for (std::size_t i = 1; i < terms.size(); ++i) {
        std::string wanted = result;
        for (std::size_t j = i; j < terms.size(); ++j) wanted += terms[j].letters;
        total = summed(c, total, wanted);
        wanted = result;
        for (std::size_t j = i + 1; j < terms.size(); ++j) wanted += terms[j].letters;
        total = multiplied(c, total, summed(c, terms[i], wanted + total.letters), wanted);
    }
    total = summed(c, total, result);
    return {c.b.cast(arranged(c.b, total, result), type)};
}

constexpr auto kEinsumRules = std::to_array<NamedRule>({{"Einsum", einsum}});

}  // namespace

std::span<NamedRule const> einsum_rules() {
    return kEinsumRules;
}

}  // namespace vitrum::onnx
