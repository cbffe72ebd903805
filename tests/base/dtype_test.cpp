// SPDX-License-Identifier: Apache-2.0
#include "base/dtype.h"

#include <gtest/gtest.h>

#include <cmath>

namespace vitrum {
namespace {

/// IEEE 754-2019, 3.4, read off the definition: sign · 2^(e − 15) · 1.m, subnormals 2^−14 · 0.m.
double half_by_definition(unsigned bits) {
    int const exponent = static_cast<int>(bits >> 10 & 31U);
    double const mantissa = bits & 1023U;
    double const magnitude = exponent == 0    ? std::ldexp(mantissa, -24)
                             : exponent == 31 ? (mantissa == 0 ? INFINITY : NAN)
                                              : std::ldexp(1024 + mantissa, exponent - 25);
    return bits >> 15 != 0 ? -magnitude : magnitude;
}

TEST(DType, ConvertsEveryHalf) {
    for (unsigned bits = 0; bits <= 0xffff; ++bits) {
        float const value = half_to_float(static_cast<std::uint16_t>(bits));
        double const expected = half_by_definition(bits);
        if (std::isnan(expected)) {
            EXPECT_TRUE(std::isnan(value)) << bits;
        } else {
            EXPECT_EQ(value, expected) << bits;
            EXPECT_EQ(std::signbit(value), std::signbit(expected)) << bits;  // -0 stays -0
        }
    }
}

TEST(DType, ConvertsEveryBfloat16) {
    for (unsigned bits = 0; bits <= 0xffff; ++bits) {
        float const value = bfloat16_to_float(static_cast<std::uint16_t>(bits));
        EXPECT_EQ(std::bit_cast<std::uint32_t>(value), bits << 16);
    }
    EXPECT_EQ(bfloat16_to_float(0x3f80), 1);
    EXPECT_EQ(bfloat16_to_float(0xc040), -3);
}

TEST(DType, SizesAndNames) {
    EXPECT_EQ(size_of(DType::f32), 4U);
    EXPECT_EQ(size_of(DType::bf16), 2U);
    EXPECT_EQ(size_of(DType::i64), 8U);
    EXPECT_EQ(size_of(DType::boolean), 1U);
    EXPECT_EQ(name_of(DType::bf16), "bfloat16");
    EXPECT_EQ(name_of(DType::boolean), "bool");
}

}  // namespace
}  // namespace vitrum
