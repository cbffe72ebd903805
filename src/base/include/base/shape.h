// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>

#include "base/check.h"

namespace vitrum {

/// Extents (or strides) of a tensor: up to eight numbers, held in place so that copies never allocate.
class Shape {
public:
    static constexpr int kMaxRank = 8;

    Shape() = default;
    Shape(std::initializer_list<std::int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}
    explicit Shape(std::span<std::int64_t const> dims) : rank_(static_cast<int>(dims.size())) {
        VITRUM_ASSERT(dims.size() <= kMaxRank);
        std::ranges::copy(dims, dims_.begin());
    }

    [[nodiscard]] int rank() const { return rank_; }
    [[nodiscard]] std::int64_t operator[](int i) const { return dims_[static_cast<std::size_t>(i)]; }
    std::int64_t& operator[](int i) { return dims_[static_cast<std::size_t>(i)]; }
    [[nodiscard]] auto begin() const { return dims_.begin(); }
    [[nodiscard]] auto end() const { return dims_.begin() + rank_; }

    bool operator==(Shape const& other) const { return std::equal(begin(), end(), other.begin(), other.end()); }

    /// The number of elements; nothing where a dimension is negative or the product overflows.
    [[nodiscard]] std::optional<std::int64_t> checked_count() const;
    /// The number of elements of a shape already known to be sane.
    [[nodiscard]] std::int64_t count() const;
    /// Row-major strides in elements.
    [[nodiscard]] Shape contiguous_strides() const;
    /// "[64, 3, 3, 3]"
    [[nodiscard]] std::string str() const;

private:
    std::array<std::int64_t, kMaxRank> dims_{};
    int rank_ = 0;
};

}  // namespace vitrum
