// SPDX-License-Identifier: Apache-2.0
#include "pack_scaled.h"

#include <cstring>

#include "packing_kinds.h"
#include "rounding.h"
#include "scaled_layout.h"

namespace vitrum::cuda {
namespace {

void fill_scaled(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    ScaledWeights const weights(shape[0], shape[1]);
    float const unit = half_unit({from, static_cast<std::size_t>(shape.count())});
    for (std::int64_t column = 0; column < shape[0]; ++column) {
        for (std::int64_t k = 0; k < shape[1]; ++k) {
            std::uint16_t const bits = half_bits(*from++ / unit);
            std::memcpy(to + weights.extent.place(column, k) * 2, &bits, sizeof(bits));
        }
    }
    std::memcpy(to + weights.extent.bytes(), &unit, sizeof(unit));
}

}  // namespace

Packing pack_scaled(int input, Shape const& shape) {
    return {.input = input,
            .key = {.kind = kScaled},
            .bytes = ScaledWeights(shape[0], shape[1]).bytes(),
            .pack = fill_scaled};
}

}  // namespace vitrum::cuda
