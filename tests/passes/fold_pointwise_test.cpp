// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "passes/passes.h"

namespace vitrum {
namespace {

/// 1 × 1 convolutions whose weights count up from `from`.
struct Convs {
    Graph graph;
    ValueId x;

    explicit Convs(std::int64_t channels)
        : x(graph.add_input("x", {Dim(Symbol::n), Dim(Symbol::h), Dim(Symbol::w), channels})) {}

    ValueId weight(Shape const& shape, float from) {
        auto owner = std::make_shared<std::vector<float>>();
        for (std::int64_t i = 0; i < shape.count(); ++i) owner->push_back(from + static_cast<float>(i));
        return graph.add_constant("w", {shape, owner->data(), owner});
    }
    ValueId conv(ValueId of, Conv2d op, std::int64_t out, std::int64_t in, float from, bool bias = false,
                 ValueId residual = kNone) {
        return graph.add(
            op, {of, weight({out, in, op.kernel, op.kernel}, from), bias ? weight({out}, from) : kNone, residual},
            "conv");
    }
    Graph folded(ValueId output) {
        graph.outputs = {output};
        verify(graph);
        Graph result = fold_pointwise(graph);
        verify(result);
        return result;
    }
};

std::vector<float> values(Graph const& graph, int input) {
    auto const id = graph.nodes.front().inputs[static_cast<std::size_t>(input)];
    if (id == kNone) return {};
    auto const& constant = *graph.value(id).constant;
    return {constant.data, constant.data + constant.shape.count()};
}

constexpr Conv2d kPoint{.kernel = 1};

TEST(FoldPointwise, MultipliesTheMatrices) {
    Convs c(2);
    auto const first = c.conv(c.x, kPoint, 3, 2, 1);                // [1 2; 3 4; 5 6]
    Graph const folded = c.folded(c.conv(first, kPoint, 2, 3, 1));  // [1 2 3; 4 5 6]
    ASSERT_EQ(folded.nodes.size(), 1U);
    EXPECT_EQ(folded.nodes[0].inputs[Conv2d::kX], c.x);
    EXPECT_EQ(values(folded, Conv2d::kWeight), (std::vector<float>{22, 28, 49, 64}));
    EXPECT_EQ(values(folded, Conv2d::kBias), std::vector<float>{});
}

TEST(FoldPointwise, KeepsNoWeightThatNobodyReads) {
    Convs c(2);
    auto const first = c.conv(c.x, kPoint, 3, 2, 1);
    EXPECT_EQ(parameter_count(c.folded(c.conv(first, kPoint, 2, 3, 1))), 4);
}

TEST(FoldPointwise, TakesBothBiasesAlong) {
    Convs c(1);
    auto const first = c.conv(c.x, kPoint, 2, 1, 1, true);                // weight [1; 2], bias [1 2]
    Graph const folded = c.folded(c.conv(first, kPoint, 1, 2, 3, true));  // weight [3 4], bias [3]
    ASSERT_EQ(folded.nodes.size(), 1U);
    EXPECT_EQ(values(folded, Conv2d::kWeight), std::vector<float>{11});
    EXPECT_EQ(values(folded, Conv2d::kBias), std::vector<float>{14});
}

TEST(FoldPointwise, GoesThroughAShuffle) {
    Convs c(1);
    // One channel to 2 × 2 pixels of two channels, channel c·4 + q: [1 … 4 | 5 … 8], bias the same.
    auto const up = c.conv(c.x, Conv2d{.kernel = 1, .pixel_shuffle = 2}, 8, 1, 1, true);
    Graph const folded = c.folded(c.conv(up, kPoint, 1, 2, 10));  // [10 11]
    ASSERT_EQ(folded.nodes.size(), 1U);
    EXPECT_EQ(std::get<Conv2d>(folded.nodes[0].op).pixel_shuffle, 2);
    std::vector<float> const expected{10 * 1 + 11 * 5, 10 * 2 + 11 * 6, 10 * 3 + 11 * 7, 10 * 4 + 11 * 8};
    EXPECT_EQ(values(folded, Conv2d::kWeight), expected);
    EXPECT_EQ(values(folded, Conv2d::kBias), expected);
}

TEST(FoldPointwise, KeepsTheSecondsActivationAndResidual) {
    Convs c(2);
    auto const other = c.conv(c.x, Conv2d{}, 2, 2, 1);
    auto const first = c.conv(c.x, kPoint, 2, 2, 1);
    Conv2d const second{.kernel = 1, .activation = Activation::gelu};
    Graph const folded = c.folded(c.conv(first, second, 2, 2, 1, false, other));
    ASSERT_EQ(folded.nodes.size(), 2U);
    EXPECT_EQ(std::get<Conv2d>(folded.nodes[1].op).activation, Activation::gelu);
    EXPECT_EQ(folded.nodes[1].inputs[Conv2d::kResidual], other);
}

TEST(FoldPointwise, LeavesWhatItCannotFold) {
    auto const count = [](auto const& build) {
        Convs c(2);
        return c.folded(build(c)).nodes.size();
    };
    Conv2d const active{.kernel = 1, .activation = Activation::gelu};
    Conv2d const shuffled{.kernel = 1, .pixel_shuffle = 2};
    EXPECT_EQ(count([&](Convs& c) { return c.conv(c.conv(c.x, active, 2, 2, 1), kPoint, 2, 2, 1); }), 2U);
    EXPECT_EQ(count([&](Convs& c) { return c.conv(c.conv(c.x, kPoint, 2, 2, 1, false, c.x), kPoint, 2, 2, 1); }), 2U);
    EXPECT_EQ(count([&](Convs& c) { return c.conv(c.conv(c.x, Conv2d{}, 2, 2, 1), kPoint, 2, 2, 1); }), 2U);
    EXPECT_EQ(count([&](Convs& c) { return c.conv(c.conv(c.x, kPoint, 2, 2, 1), Conv2d{}, 2, 2, 1); }), 2U);
    // Two narrow matrices cost less than the wide one that is their product.
    EXPECT_EQ(count([&](Convs& c) { return c.conv(c.conv(c.x, kPoint, 1, 2, 1), kPoint, 9, 1, 1); }), 2U);
    // The residual belongs after the shuffle.
    EXPECT_EQ(count([&](Convs& c) {
                  auto const up = c.conv(c.x, shuffled, 8, 2, 1);
                  auto const other = c.conv(c.x, shuffled, 8, 2, 1);
                  return c.conv(up, kPoint, 2, 2, 1, false, other);
              }),
              3U);
}

}  // namespace
}  // namespace vitrum
