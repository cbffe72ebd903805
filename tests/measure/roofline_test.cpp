// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "vitrum/measure.h"

namespace vitrum {
namespace {

OpProfile op(double seconds, double flops, double bytes) {
    return {.op = "", .provenance = "", .kernel = "", .seconds = seconds, .flops = flops, .bytes = bytes};
}

TEST(Roofline, TheScarcerResourceDecides) {
    Roofline const roof{.flops_per_second = 100, .bytes_per_second = 10};
    EXPECT_DOUBLE_EQ(share_of_roofline(op(4, 200, 10), roof), 0.5);
    EXPECT_DOUBLE_EQ(share_of_roofline(op(4, 200, 30), roof), 0.75);
    EXPECT_DOUBLE_EQ(share_of_roofline(op(0, 200, 30), roof), 0);
}

TEST(Roofline, MeasuredRatesArePlausible) {
    Roofline const roof = measure_roofline(1);
    EXPECT_GT(roof.flops_per_second, 1e8);
    EXPECT_LT(roof.flops_per_second, 1e13);
    EXPECT_GT(roof.bytes_per_second, 1e7);
    EXPECT_LT(roof.bytes_per_second, 1e13);
}

TEST(Doctor, EveryFactHasANameAndAValue) {
    for (MachineFact const& fact : doctor()) {
        EXPECT_FALSE(fact.name.empty());
        EXPECT_FALSE(fact.value.empty()) << fact.name;
    }
    EXPECT_GT(peak_resident_bytes(), 0U);
}

}  // namespace
}  // namespace vitrum
