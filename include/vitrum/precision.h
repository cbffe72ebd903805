// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

namespace vitrum {

/// What the operands of matrix products are rounded to. Sums, statistics, softmax and what is kept between operators
/// stay float32 in all of them, and an operator whose operands might leave the range of `fp16` takes `tf32` for it.
enum class Precision {
    fp32,  ///< true float32
    tf32,  ///< 10 bits of fraction, float32's range
    bf16,  ///< 7 bits of fraction, float32's range
    fp16,  ///< 10 bits of fraction, up to 65504
};

[[nodiscard]] constexpr std::string_view name_of(Precision precision) {
    switch (precision) {
        case Precision::fp32: return "fp32";
        case Precision::tf32: return "tf32";
        case Precision::bf16: return "bf16";
        case Precision::fp16: return "fp16";
    }
    return "unknown";
}

/// The precision of that name; empty where there is none.
[[nodiscard]] constexpr std::optional<Precision> find_precision(std::string_view name) {
    for (auto const precision : {Precision::fp32, Precision::tf32, Precision::bf16, Precision::fp16}) {
        if (name == name_of(precision)) return precision;
    }
    return std::nullopt;
}

}  // namespace vitrum
