// SPDX-License-Identifier: Apache-2.0
// Operands of tensor cores, rounded on the host.
#include "rounding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/dtype.h"

namespace vitrum::cuda {
namespace {

TEST(CudaRounding, EveryHalfStaysItself) {
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
        float const value = half_to_float(static_cast<std::uint16_t>(bits));
        if (std::isnan(value)) {
            EXPECT_TRUE(std::isnan(half_to_float(half_bits(value))));
        } else {
            EXPECT_EQ(half_bits(value), bits);
        }
    }
}

TEST(CudaRounding, TakesTheNearestHalfAndEvenOnesAtTies) {
    for (std::uint16_t bits = 0; bits < 0x7BFF; ++bits) {
        float const low = half_to_float(bits), high = half_to_float(static_cast<std::uint16_t>(bits + 1));
        float const middle = (low + high) / 2;
        EXPECT_EQ(half_bits(std::nextafter(middle, 0.0F)), bits);
        EXPECT_EQ(half_bits(middle), bits % 2 == 0 ? bits : bits + 1);
        EXPECT_EQ(half_bits(std::nextafter(middle, 1e9F)), bits + 1);
        EXPECT_EQ(half_bits(-middle), half_bits(middle) | 0x8000);
    }
    EXPECT_EQ(half_bits(65519.996F), 0x7BFF);
    EXPECT_EQ(half_bits(65520.0F), 0x7C00);
    EXPECT_EQ(half_bits(std::numeric_limits<float>::infinity()), 0x7C00);
}

TEST(CudaRounding, AUnitBringsTheLargestNumberToTheEndOfHalfsRange) {
    EXPECT_EQ(half_unit(std::vector<float>{0.0F, 0.0F}), 1.0F);
    EXPECT_EQ(half_unit(std::vector<float>{16384.0F, -1.0F}), 1.0F);
    EXPECT_EQ(half_unit(std::vector<float>{-32768.0F}), 2.0F);
    EXPECT_EQ(half_unit(std::vector<float>{3e-6F, -6e-6F}), 0x1p-32F);
    EXPECT_EQ(half_unit(std::vector<float>{1e-45F}), 0x1p-126F) << "no smaller than float32's smallest normal one";
    EXPECT_LT(3.4e38F / half_unit(std::vector<float>{3.4e38F}), 32768.0F);
}

TEST(CudaRounding, RoundsToBfloat16) {
    EXPECT_EQ(bfloat16_bits(1.0F), 0x3F80);
    EXPECT_EQ(bfloat16_bits(1.0F + 0x1p-8F), 0x3F80) << "a tie goes to the even one";
    EXPECT_EQ(bfloat16_bits(1.0F + 0x3p-8F), 0x3F82);
    EXPECT_EQ(bfloat16_bits(1.0F + 0x1.01p-8F), 0x3F81);
    EXPECT_EQ(bfloat16_bits(-3.4e38F), 0xFF80) << "beyond the largest";
    EXPECT_EQ(bfloat16_bits(std::numeric_limits<float>::infinity()), 0x7F80);
}

TEST(CudaRounding, RoundsToTf32) {
    EXPECT_EQ(std::bit_cast<float>(tf32_bits(1.0F + 0x1p-11F)), 1.0F + 0x1p-10F) << "a tie goes away from zero";
    EXPECT_EQ(std::bit_cast<float>(tf32_bits(1.0F + 0x1.FFp-12F)), 1.0F);
    EXPECT_EQ(std::bit_cast<float>(tf32_bits(-1.0F - 0x1p-11F)), -1.0F - 0x1p-10F);
}

}  // namespace
}  // namespace vitrum::cuda
