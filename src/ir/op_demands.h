// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/core.h>

#include "ir/graph.h"

namespace vitrum {

using Dims = std::vector<Dim>;
using Inputs = std::span<Dims const>;

/// Collects the first broken demand.
class Demands {
public:
    explicit Demands(Inputs inputs) : in_(inputs) {}

    Demands& that(bool holds, std::string_view what) {
        if (!holds && text_.empty()) text_ = what;
        return *this;
    }
    /// Input i is an activation [N, H, W, C] with known channels.
    Demands& activation(int i) {
        auto const& dims = in_[static_cast<std::size_t>(i)];
        return that(dims.size() == 4 && dims[3].is_constant() && dims[3].at({}) > 0,
                    "an activation is not [N, H, W, C]");
    }
    /// Input i is a constant of that shape, or absent where that is allowed.
    Demands& weight(int i, std::initializer_list<std::int64_t> shape) {
        auto const& dims = in_[static_cast<std::size_t>(i)];
        return that(dims == Dims(shape.begin(), shape.end()), fmt::format("weight input {} has the wrong shape", i));
    }
    Demands& optional_weight(int i, std::initializer_list<std::int64_t> shape) {
        return in_[static_cast<std::size_t>(i)].empty() ? *this : weight(i, shape);
    }
    /// Input i, where present, has the extents of the operator's result before any shuffle.
    Demands& same_extents(int i, Dims const& extents) {
        auto const& dims = in_[static_cast<std::size_t>(i)];
        return that(dims.empty() || dims == extents, "a summand has other extents");
    }
    Demands& both_or_none(int a, int b) {
        return that(in_[static_cast<std::size_t>(a)].empty() == in_[static_cast<std::size_t>(b)].empty(),
                    "norm weight without norm bias");
    }
    [[nodiscard]] bool broken() const { return !text_.empty(); }
    [[nodiscard]] std::string text() const { return text_; }
    [[nodiscard]] std::int64_t channels() const { return in_[0][3].at({}); }
    [[nodiscard]] std::int64_t extent(int i, std::size_t d) const {
        auto const& dims = in_[static_cast<std::size_t>(i)];
        return d < dims.size() && dims[d].is_constant() ? dims[d].at({}) : -1;
    }

private:
    Inputs in_;
    std::string text_;
};

}  // namespace vitrum
