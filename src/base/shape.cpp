// SPDX-License-Identifier: Apache-2.0
#include "base/shape.h"

#include <fmt/ranges.h>

namespace vitrum {

std::optional<std::int64_t> Shape::checked_count() const {
    std::int64_t total = 1;
    for (std::int64_t const dim : *this) {
        if (dim < 0 || __builtin_mul_overflow(total, dim, &total)) return std::nullopt;
    }
    return total;
}

std::int64_t Shape::count() const {
    auto const total = checked_count();
    VITRUM_ASSERT(total.has_value());
    return *total;
}

Shape Shape::contiguous_strides() const {
    Shape strides = *this;
    std::int64_t step = 1;
    for (int i = rank_ - 1; i >= 0; --i) {
        strides[i] = step;
        step *= (*this)[i];
    }
    return strides;
}

std::string Shape::str() const {
    return fmt::format("[{}]", fmt::join(begin(), end(), ", "));
}

}  // namespace vitrum
