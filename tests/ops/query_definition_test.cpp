// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "harness.h"
#include "query_cases.h"

namespace vitrum::test {
namespace {

/// A matrix of size_t-indexed values in one of the packed inputs: [picture][row][column].
struct Matrix {
    std::vector<float> const& values;
    std::size_t rows, columns;
    [[nodiscard]] double operator()(std::size_t n, std::size_t row, std::size_t column) const {
        return values[(n * rows + row) * columns + column];
    }
};

/// The original's way (mask2former_transformer_decoder.py): sigmoid, compare, free the rows that are hidden whole,
/// then PyTorch's attention with an additive −∞.
std::vector<double> naive_attention(QueryAttentionCase const& c, Values const& values) {
    auto const q = static_cast<std::size_t>(c.q);
    auto const keys = static_cast<std::size_t>(c.h) * static_cast<std::size_t>(c.w);
    auto const channels = static_cast<std::size_t>(c.c);
    std::size_t const dim = channels / static_cast<std::size_t>(c.heads);
    Matrix const queries{values[0], q, channels}, key{values[1], keys, channels}, value{values[2], keys, channels};
    Matrix const mask{values[3], keys, q};
    std::vector<double> y;
    for (std::size_t n = 0; n < static_cast<std::size_t>(c.n); ++n) {
        for (std::size_t i = 0; i < q; ++i) {
            std::vector<bool> hidden(keys, false);
            for (std::size_t j = 0; c.mask && j < keys; ++j) hidden[j] = 1 / (1 + std::exp(-mask(n, j, i))) < 0.5;
            if (std::count(hidden.begin(), hidden.end(), true) == c.h * c.w) hidden.assign(keys, false);
            for (std::size_t head = 0; head < static_cast<std::size_t>(c.heads); ++head) {
                std::vector<double> sums(dim);
                double total = 0;
                for (std::size_t j = 0; j < keys; ++j) {
                    double logit = hidden[j] ? -INFINITY : 0;
                    for (std::size_t d = head * dim; d < (head + 1) * dim; ++d) {
                        logit += queries(n, i, d) / std::sqrt(static_cast<double>(dim)) * key(n, j, d);
                    }
                    double const p = std::exp(logit - 200);  // far from overflow for every case here
                    total += p;
                    for (std::size_t d = 0; d < dim; ++d) sums[d] += p * value(n, j, head * dim + d);
                }
                for (double const sum : sums) y.push_back(sum / total);
            }
        }
    }
    return y;
}

TEST(QueryAttentionDefinition, AgreesWithTheOriginalsWay) {
    for (QueryAttentionCase const& c : kQueryAttentionCases) {
        Values const values = make_values(to_case(c));
        auto const result = reference_output(to_case(c), values);
        auto const expected = naive_attention(c, values);
        ASSERT_EQ(result.size(), expected.size());
        for (std::size_t i = 0; i < expected.size(); ++i) {
            ASSERT_NEAR(result[i], expected[i], 1e-6 * (1 + std::abs(expected[i]))) << c.name << " at " << i;
        }
    }
}

/// One channel, one head: with keys of zero every visible pixel counts the same.
constexpr QueryAttentionCase kAveraging{.name = "averaging", .q = 2, .w = 3, .c = 1, .heads = 1};

std::vector<float> average(std::vector<float> mask) {
    return reference_output(to_case(kAveraging), {{1, 1}, {0, 0, 0}, {3, 6, 12}, std::move(mask)});
}

TEST(QueryAttentionDefinition, NegativeMasksHide) {
    // Query 0 sees the first two pixels, query 1 the last.
    EXPECT_EQ(average({1, -1, 1, -1, -1, 1}), (std::vector<float>{4.5F, 12}));
}

TEST(QueryAttentionDefinition, ZeroDoesNotHide) {
    EXPECT_EQ(average({0, -1, -0.0F, -1, -1, 0}), (std::vector<float>{4.5F, 12}));
}

TEST(QueryAttentionDefinition, WhoSeesNothingSeesAll) {
    EXPECT_EQ(average({-1, -1, -1, -1, -1, 2}), (std::vector<float>{7, 12}));
}

TEST(QueryMasksDefinition, MultipliesPixelsWithQueries) {
    constexpr QueryMasksCase kCase{.name = "two", .w = 2, .c = 2, .q = 3};
    EXPECT_EQ(reference_output(to_case(kCase), {{1, 2, 3, 4}, {1, 0, 0, 1, 10, 100}}),
              (std::vector<float>{1, 2, 210, 3, 4, 430}));
}

}  // namespace
}  // namespace vitrum::test
