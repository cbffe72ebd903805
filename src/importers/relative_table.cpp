// SPDX-License-Identifier: Apache-2.0
#include "relative_table.h"

#include <algorithm>
#include <cmath>

namespace vitrum {
namespace {

/// The table of one window's biases [heads, w², w²].
std::optional<Constant> table_of(float const* biases, std::int64_t heads, std::int64_t window) {
    std::int64_t const positions = window * window, span = 2 * window - 1;
    auto const table = std::make_shared<std::vector<float>>(static_cast<std::size_t>(span * span * heads));
    std::vector<bool> is_set(table->size(), false);
    for (std::int64_t i = 0; i < heads * positions * positions; ++i) {
        std::int64_t const head = i / (positions * positions), a = i / positions % positions, b = i % positions;
        std::int64_t const dy = a / window - b / window + window - 1, dx = a % window - b % window + window - 1;
        auto const place = static_cast<std::size_t>((dy * span + dx) * heads + head);
        if (is_set[place] && (*table)[place] != biases[i]) return std::nullopt;
        (*table)[place] = biases[i];
        is_set[place] = true;
    }
    if (std::ranges::all_of(*table, [](float bias) { return bias == 0; })) return std::nullopt;  // a shift's mask
    return Constant{{span * span, heads}, table->data(), table};
}

}  // namespace

std::optional<Constant> relative_table(Constant const& biases) {
    constexpr std::int64_t kMaxWindow = 32, kMaxHeads = 256;
    Shape const& shape = biases.shape;
    if (shape.rank() < 2 || biases.dtype != DType::f32) return std::nullopt;
    std::int64_t const positions = shape[shape.rank() - 1];
    auto const window = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(positions))));
    bool const is_square = shape[shape.rank() - 2] == positions && window * window == positions;
    if (!is_square || window < 2 || window > kMaxWindow) return std::nullopt;
    std::int64_t const heads = shape.rank() == 2 ? 1 : shape[shape.rank() - 3];
    if (heads < 1 || heads > kMaxHeads) return std::nullopt;
    std::int64_t const each = heads * positions * positions;
    for (std::int64_t first = 0; first < shape.count(); first += each) {
        if (auto table = table_of(biases.data + first, heads, window)) return table;
    }
    return std::nullopt;
}

}  // namespace vitrum
