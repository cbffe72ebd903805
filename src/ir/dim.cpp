// SPDX-License-Identifier: Apache-2.0
#include "ir/dim.h"

#include <fmt/format.h>

#include "base/check.h"

namespace vitrum {

std::int64_t Dim::apply(Step step, std::int64_t value) {
    return step.kind == StepKind::times ? value * step.by : (value + step.by - 1) / step.by;
}

Dim Dim::then(Step step) const {
    if (step.by == 1) return *this;
    if (is_constant()) return {apply(step, constant_)};
    Dim result = *this;
    // Two factors in a row are one, so that equal extents compare equal.
    if (step.kind == StepKind::times && !steps_.empty() && steps_.back().kind == StepKind::times) {
        result.steps_.back().by *= step.by;
    } else {
        result.steps_.push_back(step);
    }
    return result;
}

Dim Dim::times(std::int64_t factor) const {
    return then({StepKind::times, factor});
}

Dim Dim::ceil_div(std::int64_t divisor) const {
    VITRUM_ASSERT(divisor > 0);
    if (!steps_.empty() && steps_.back().kind == StepKind::times && steps_.back().by % divisor == 0) {
        Dim result = *this;
        auto const factor = steps_.back().by / divisor;
        result.steps_.pop_back();
        return result.times(factor);
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
    for (Step const step : steps_) {
        text = step.kind == StepKind::times ? fmt::format("{}*{}", text, step.by)
                                            : fmt::format("ceil({}/{})", text, step.by);
    }
    return text;
}

}  // namespace vitrum
