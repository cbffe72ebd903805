// SPDX-License-Identifier: Apache-2.0
#include "kernels/gelu_for_operands.cuh"

#include <gtest/gtest.h>

#include <cmath>

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

}  // namespace
}  // namespace vitrum::cuda
