// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vitrum/sizes.h"

namespace vitrum {

enum class Symbol : std::uint8_t { none, n, h, w };

/// An extent that is known up to N, H, W: a constant, or a chain of affine steps and divisions rounded up on one
/// symbol, such as ceil(H / 8) · 8. One symbol is enough: no network here mixes height and width in a side.
/// Chains are kept canonical (sums last, no two steps of a kind in a row), so that equal extents compare equal.
class Dim {
public:
    Dim(std::int64_t constant = 0) : constant_(constant) {}  // NOLINT(google-explicit-constructor): a number is a Dim
    explicit Dim(Symbol symbol) : symbol_(symbol) {}

    [[nodiscard]] Dim times(std::int64_t factor) const;
    [[nodiscard]] Dim plus(std::int64_t summand) const;
    [[nodiscard]] Dim ceil_div(std::int64_t divisor) const;
    [[nodiscard]] Dim round_up(std::int64_t multiple) const { return ceil_div(multiple).times(multiple); }

    enum class StepKind : std::uint8_t { times, plus, ceil_div };
    struct Step {
        StepKind kind;
        std::int64_t by;
        bool operator==(Step const&) const = default;
    };
    [[nodiscard]] Symbol symbol() const { return symbol_; }
    [[nodiscard]] std::vector<Step> const& steps() const { return steps_; }  ///< first applied first

    [[nodiscard]] bool is_constant() const { return symbol_ == Symbol::none; }
    [[nodiscard]] std::int64_t at(Sizes const& sizes) const;
    bool operator==(Dim const&) const = default;
    /// "ceil(H/8)*8"
    [[nodiscard]] std::string str() const;

private:
    static std::int64_t apply(Step step, std::int64_t value);
    [[nodiscard]] Dim then(Step step) const;
    /// The last step's operand if it is of that kind, and the chain before it.
    [[nodiscard]] bool ends_with(StepKind kind) const { return !steps_.empty() && steps_.back().kind == kind; }
    [[nodiscard]] Dim without_last() const;

    Symbol symbol_ = Symbol::none;
    std::int64_t constant_ = 0;
    std::vector<Step> steps_;
};

}  // namespace vitrum
