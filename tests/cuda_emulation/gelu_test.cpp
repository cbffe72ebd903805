// SPDX-License-Identifier: Apache-2.0
#include "kernels/gelu_for_operands.cuh"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/gelu_halves.cuh"

namespace vitrum::cuda {
namespace {

double exact_gelu(double x) {
    return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
}

TEST(CudaGelu, ForOperandsIsCloserThanOperandsAre) {
    for (double x = -10; x <= 10; x += 1e-3) {
        EXPECT_NEAR(gelu_for_operands(static_cast<float>(x)), exact_gelu(x), 1e-4) << x;
    }
}

// An instruction's tanh is good to 2^-10.9; the emulated one is exact.
TEST(CudaGelu, ByTanhIsCloserThanOperandsAre) {
    for (double x = -30; x <= 30; x += 1e-3) {
        EXPECT_NEAR(gelu_by_tanh(static_cast<float>(x)), exact_gelu(x), 2.6e-5) << x;
    }
}

TEST(CudaGelu, ForOperandsKeepsItsEnds) {
    for (double x = 10; x < 1e6; x *= 1.7) {
        EXPECT_NEAR(gelu_for_operands(static_cast<float>(x)), x, 3e-6 * x);
        EXPECT_NEAR(gelu_for_operands(static_cast<float>(-x)), 0, 3e-6 * x);
    }
    EXPECT_EQ(gelu_for_operands(0.0F), 0.0F);
}

TEST(CudaGelu, OfHalvesIsAsCloseAsFloat16) {
    for (double x = -30; x <= 30; x += 1e-2) {
        auto const half = static_cast<float>(x / 2), quarter = static_cast<float>(x / 4);
        double const allowed = 4e-4 + 1.5e-3 * std::abs(x);
        EXPECT_NEAR(Fp16::unpack(gelu_halves<2>(Fp16::pack(half, half))).x, exact_gelu(x), allowed) << x;
        EXPECT_NEAR(2 * Fp16::unpack(gelu_halves<4>(Fp16::pack(0, quarter))).y, exact_gelu(x), allowed) << x;
    }
}

TEST(CudaGelu, OfHalvesKeepsItsEnds) {
    for (float const x : {300.0F, 2e4F}) {
        EXPECT_EQ(Fp16::unpack(gelu_halves<2>(Fp16::pack(x, -x))).x, 2 * Fp16::unpack(Fp16::pack(x, 0)).x);
        EXPECT_EQ(Fp16::unpack(gelu_halves<2>(Fp16::pack(x, -x))).y, 0.0F);
    }
    EXPECT_EQ(gelu_halves<2>(0), 0U);
}

}  // namespace
}  // namespace vitrum::cuda
