// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "harness.h"
#include "naive_attention.h"

namespace vitrum::test {
namespace {

TEST(WindowAttentionDefinition, AgreesWithTheOriginalsWay) {
    for (WindowAttentionCase const& c : kWindowAttentionCases) {
        if (c.n * c.h * c.w * c.c > 16 * 24 * 60) continue;  // the naive way is slow
        Values const values = make_values(to_case(c));
        auto const result = reference_output(to_case(c), values);
        auto const expected = naive_window_attention(c, values);
        for (std::size_t i = 0; i < expected.size(); ++i) {
            ASSERT_NEAR(result[i], expected[i], 1e-7 * (1 + std::abs(expected[i]))) << c.name << " at " << i;
        }
    }
}

/// One channel, one head, v = x and proj = identity: y is the mean of x under softmax's weights. With q = k = 0
/// the weights are those of bias and mask alone.
Values averaging(std::vector<float> x, int window) {
    auto const table = static_cast<std::size_t>((2 * window - 1) * (2 * window - 1));
    return {std::move(x), {0, 0, 1}, {}, std::vector<float>(table), {1}, {0}, {}, {}, {}};
}

constexpr WindowAttentionCase kAveragingWindow{.name = "averaging",
                                               .h = 4,
                                               .w = 4,
                                               .c = 1,
                                               .heads = 1,
                                               .window = 2,
                                               .qkv_bias = false,
                                               .norm = false,
                                               .residual = Residual::none};

TEST(WindowAttentionDefinition, AveragesEachWindow) {
    auto const result =
        reference_output(to_case(kAveragingWindow), averaging({0, 4, 1, 1, 4, 0, 1, 1, 8, 8, 0, 0, 8, 8, 0, 4}, 2));
    EXPECT_EQ(result, (std::vector<float>{2, 2, 1, 1, 2, 2, 1, 1, 8, 8, 1, 1, 8, 8, 1, 1}));
}

TEST(WindowAttentionDefinition, MaskKeepsWhatTheRollJoinedApart) {
    // Rolled by one, the first row and column meet the last in windows that the mask cuts into regions: the
    // corners stand alone, the edges average in pairs, the middle averages four.
    WindowAttentionCase c = kAveragingWindow;
    c.shift = 1;
    std::vector<float> x(16);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i + 1);
    auto const result = reference_output(to_case(c), averaging(x, 2));
    EXPECT_EQ(result,
              (std::vector<float>{1, 2.5F, 2.5F, 4, 7, 8.5F, 8.5F, 10, 7, 8.5F, 8.5F, 10, 13, 14.5F, 14.5F, 16}));
}

TEST(WindowAttentionDefinition, OneShiftedWindowHasFourRegions) {
    WindowAttentionCase c = kAveragingWindow;
    c.h = c.w = 2;
    c.shift = 1;
    EXPECT_EQ(reference_output(to_case(c), averaging({1, 2, 3, 4}, 2)), (std::vector<float>{1, 2, 3, 4}));
}

TEST(WindowAttentionDefinition, MaskIsMinusHundredNotInfinity) {
    // A bias of +1000 for the key one to the left outweighs the mask.
    WindowAttentionCase c = kAveragingWindow;
    c.h = c.w = 2;
    c.shift = 1;
    Values values = averaging({1, 2, 3, 4}, 2);
    values[WindowAttention::kBiasTable][(0 + 1) * 3 + (1 + 1)] = 1000;  // dy = 0, dx = 1
    // In the rolled window [4 3; 2 1] the right column now looks at the left one.
    EXPECT_EQ(reference_output(to_case(c), values), (std::vector<float>{2, 2, 4, 4}));
}

TEST(WindowAttentionDefinition, BiasIsIndexedByQueryMinusKey) {
    WindowAttentionCase c = kAveragingWindow;
    c.h = c.w = 2;
    Values values = averaging({1, 2, 3, 4}, 2);
    // dy = 1, dx = 0: the lower row looks at the upper one.
    values[WindowAttention::kBiasTable][(1 + 1) * 3 + (0 + 1)] = 1000;
    EXPECT_EQ(reference_output(to_case(c), values), (std::vector<float>{2.5F, 2.5F, 1, 2}));
}

TEST(WindowAttentionDefinition, ScalesTheLogits) {
    // Two tokens with q = x, k = x, v = x: for query 1 the weights are softmax(scale · {0, 1}).
    WindowAttentionCase c = kAveragingWindow;
    c.h = c.w = 2;
    c.logits = 3;
    Values values = averaging({0, 1, 0, 1}, 2);
    values[WindowAttention::kQkvWeight] = {1, 1, 1};
    auto const result = reference_output(to_case(c), values);
    EXPECT_FLOAT_EQ(result[0], 0.5F);
    EXPECT_FLOAT_EQ(result[1], static_cast<float>(1 / (1 + std::exp(-3.0))));
}

}  // namespace
}  // namespace vitrum::test
