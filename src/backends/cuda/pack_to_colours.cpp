// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "pack.h"
#include "packing_kinds.h"
#include "rounding.h"
#include "to_colours_layout.h"

namespace vitrum::cuda {
namespace {

void fill_to_colours(float const* from, Shape const& shape, PackingKey const&, std::byte* to) {
    constexpr int kTaps = 9;
    ToColoursWeights const weights(shape[1]);
    float const unit = half_unit({from, static_cast<std::size_t>(shape.count())});
    for (std::int64_t output = 0; output < shape[0]; ++output) {
        for (std::int64_t input = 0; input < shape[1]; ++input) {
            for (int tap = 0; tap < kTaps; ++tap) {
                std::uint16_t const bits = half_bits(*from++ / unit);
                FragmentPlace const place(tap * shape[0] + output, input);
                std::memcpy(to + place.half(weights.steps()) * 2, &bits, sizeof(bits));
            }
        }
    }
    std::memcpy(to + weights.unit_offset(), &unit, sizeof(unit));
}

}  // namespace

Packing pack_to_colours(int input, Shape const& shape) {
    return {.input = input,
            .key = {.kind = kToColours},
            .bytes = ToColoursWeights(shape[1]).bytes(),
            .pack = fill_to_colours};
}

}  // namespace vitrum::cuda
