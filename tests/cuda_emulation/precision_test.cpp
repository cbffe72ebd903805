// SPDX-License-Identifier: Apache-2.0
// What the engine makes of numbers that the kernels' operands do not hold.
#include <gtest/gtest.h>

#include "emulated_backend.h"
#include "overflowing_network.h"
#include "vitrum/measure.h"

namespace vitrum::test {
namespace {

Engine emulated(float hidden, Precision precision) {
    return make_mlp_engine(hidden, precision, std::make_shared<EmulatedBackend>(true));
}

TEST(EmulatedPrecision, WhatLeavesFloat16BecomesInfiniteAndIsRunAgain) {
    Session asked(emulated(1e6F, Precision::fp16)), exact(emulated(1e6F, Precision::fp32));
    EXPECT_FALSE(is_finite(outcome(asked, false))) << "an operand beyond 65504 must show";
    auto const again = outcome(asked, true), expected = outcome(exact, false);
    EXPECT_EQ(asked.reruns(), (Reruns{1, 0}));
    ASSERT_TRUE(is_finite(again));
    for (std::size_t i = 0; i < again.size(); ++i) ASSERT_NEAR(again[i], expected[i], 1e-2) << i;
}

TEST(EmulatedPrecision, AutomaticPrecisionLeavesOutWhatOverflows) {
    EXPECT_EQ(choose_precision(emulated(10, Precision::fp32)).precision, Precision::fp16);
    PrecisionChoice const choice = choose_precision(emulated(1e6F, Precision::fp32));
    EXPECT_EQ(choice.precision, Precision::tf32);
    EXPECT_EQ(choice.trials.front().layers.front().kernel, "fused_mlp_fp16");
}

}  // namespace
}  // namespace vitrum::test
