// SPDX-License-Identifier: Apache-2.0
#include "relative_table.h"

#include <cmath>

namespace vitrum {

std::optional<Constant> relative_table(Constant const& biases) {
    constexpr std::int64_t kMaxWindow = 32, kMaxHeads = 256;
    Shape const& shape = biases.shape;
    if (shape.rank() < 2 || biases.dtype != DType::f32) return std::nullopt;
    std::int64_t const positions = shape[shape.rank() - 1];
    auto const window = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(positions))));
    bool const is_square = shape[shape.rank() - 2] == positions && window * window == positions;
    if (!is_square || window < 2 || window > kMaxWindow) return std::nullopt;
    std::int64_t const heads = shape.count() / (positions * positions), span = 2 * window - 1;
    // All heads in one dimension: [heads, w², w²] with extents of 1 around it.
    bool const is_one = shape.rank() == 2 || shape[shape.rank() - 3] == heads;
    if (!is_one || heads < 1 || heads > kMaxHeads) return std::nullopt;
    auto const table = std::make_shared<std::vector<float>>(static_cast<std::size_t>(span * span * heads));
    std::vector<bool> is_set(table->size(), false);
    for (std::int64_t i = 0; i < heads * positions * positions; ++i) {
        std::int64_t const head = i / (positions * positions), a = i / positions % positions, b = i % positions;
        std::int64_t const dy = a / window - b / window + window - 1, dx = a % window - b % window + window - 1;
        auto const place = static_cast<std::size_t>((dy * span + dx) * heads + head);
        if (is_set[place] && (*table)[place] != biases.data[i]) return std::nullopt;
        (*table)[place] = biases.data[i];
        is_set[place] = true;
    }
    return Constant{{span * span, heads}, table->data(), table};
}

}  // namespace vitrum
