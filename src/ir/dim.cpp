// SPDX-License-Identifier: Apache-2.0
#include "ir/dim.h"

#include <fmt/core.h>

#include <numeric>

#include "base/check.h"

namespace vitrum {

namespace {

std::int64_t ceil_quotient(std::int64_t value, std::int64_t divisor) {
    return value >= 0 ? (value + divisor - 1) / divisor : -(-value / divisor);
}

}  // namespace

std::int64_t Dim::apply(Step step, std::int64_t value) {
    switch (step.kind) {
        case StepKind::times: return value * step.by;
        case StepKind::plus: return value + step.by;
        case StepKind::ceil_div: return ceil_quotient(value, step.by);
    }
    VITRUM_ASSERT(false);
}

Dim Dim::then(Step step) const {
    if (is_constant()) return {apply(step, constant_)};
    Dim result = *this;
    result.steps_.push_back(step);
    return result;
}

Dim Dim::without_last() const {
    Dim result = *this;
    result.steps_.pop_back();
    return result;
}

Dim Dim::times(std::int64_t factor) const {
    if (factor == 1) return *this;
    if (ends_with(StepKind::plus)) return without_last().times(factor).plus(steps_.back().by * factor);
    if (ends_with(StepKind::times)) return without_last().times(steps_.back().by * factor);
    return then({StepKind::times, factor});
}

Dim Dim::plus(std::int64_t summand) const {
    if (ends_with(StepKind::plus)) return without_last().plus(steps_.back().by + summand);
    return summand == 0 ? *this : then({StepKind::plus, summand});
}

Dim Dim::ceil_div(std::int64_t divisor) const {
    VITRUM_ASSERT(divisor > 0);
    if (divisor == 1 || is_constant()) return divisor == 1 ? *this : then({StepKind::ceil_div, divisor});
    std::int64_t const by = steps_.empty() ? 0 : steps_.back().by;
    if (ends_with(StepKind::ceil_div)) return without_last().ceil_div(by * divisor);
    if (ends_with(StepKind::times)) {  // ceil(x·ga / gb) = ceil(x·a / b)
        std::int64_t const common = std::gcd(by, divisor);
        if (common > 1) return without_last().times(by / common).ceil_div(divisor / common);
    }
    if (ends_with(StepKind::plus)) {
        Dim const before = without_last();
        bool const whole = before.ends_with(StepKind::times) && before.steps_.back().by % divisor == 0;
        // ceil((x·ad + k) / d) = x·a + ceil(k / d); else whole multiples of d leave the sum: ceil((x + qd + r) / d).
        if (whole) return before.ceil_div(divisor).plus(ceil_quotient(by, divisor));
        std::int64_t const rest = (by % divisor + divisor) % divisor;
        if (rest != by) return before.plus(rest).ceil_div(divisor).plus((by - rest) / divisor);
    }
    return then({StepKind::ceil_div, divisor});
}

std::int64_t Dim::at(Sizes const& sizes) const {
    std::int64_t value = constant_;
    switch (symbol_) {
        case Symbol::none: break;
        case Symbol::n: value = sizes.n; break;
        case Symbol::h: value = sizes.h; break;
        case Symbol::w: value = sizes.w; break;
    }
    for (Step const step : steps_) value = apply(step, value);
    return value;
}

std::string Dim::str() const {
    if (is_constant()) return fmt::format("{}", constant_);
    std::string text(1, "?NHW"[static_cast<std::size_t>(symbol_)]);
    bool sum = false;  // whether the text so far ends in one
    for (Step const step : steps_) {
        switch (step.kind) {
            // A sum is the last step or stands inside ceil(…): nothing else needs brackets.
            case StepKind::times: text = fmt::format("{}*{}", text, step.by); break;
            case StepKind::plus: text = fmt::format("{}{:+}", text, step.by); break;
            case StepKind::ceil_div:
                text = sum ? fmt::format("ceil(({})/{})", text, step.by) : fmt::format("ceil({}/{})", text, step.by);
                break;
        }
        sum = step.kind == StepKind::plus;
    }
    return text;
}

}  // namespace vitrum
