// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "graphs.h"
#include "symbols.h"

namespace vitrum {
namespace {

using Dims = std::vector<Dim>;

Dims inferred(Op const& op, std::vector<Dims> const& inputs) {
    return infer_outputs(op, inputs).front();
}

TEST(InferOutput, Conv2d) {
    EXPECT_EQ(inferred(Conv2d{}, {{kN, kH, kW, 3}, {60, 3, 3, 3}, {60}, {}}), (Dims{kN, kH, kW, 60}));
    EXPECT_EQ(inferred(Conv2d{.kernel = 1}, {{kN, kH, kW, 3}, {60, 3, 1, 1}, {}, {kN, kH, kW, 60}}),
              (Dims{kN, kH, kW, 60}));
    EXPECT_EQ(inferred(Conv2d{.pixel_shuffle = 2}, {{kN, kH, kW, 60}, {12, 60, 3, 3}, {}, {}}),
              (Dims{kN, kH.times(2), kW.times(2), 3}));
}

TEST(InferOutput, KeepsExtents) {
    Dims const x{kN, kH.round_up(8), kW.round_up(8), 12};
    EXPECT_EQ(inferred(LayerNorm{}, {x, {12}, {12}}), x);
    EXPECT_EQ(inferred(WindowAttention{.heads = 2}, {x, {36, 12}, {36}, {225, 2}, {12, 12}, {12}, {}, {}, {}}), x);
    EXPECT_EQ(inferred(Mlp{}, {x, {24, 12}, {24}, {12, 24}, {12}, {}, {}, x}), x);
    EXPECT_EQ(inferred(Add{}, {x, x}), x);
    EXPECT_EQ(inferred(Activate{}, {x}), x);
}

TEST(InferOutput, ChangesExtents) {
    Dims const x{kN, kH, kW, 12};
    EXPECT_EQ(inferred(PixelShuffle{.factor = 2}, {x}), (Dims{kN, kH.times(2), kW.times(2), 3}));
    EXPECT_EQ(inferred(ResizeNearest{.factor = 3}, {x}), (Dims{kN, kH.times(3), kW.times(3), 12}));
    EXPECT_EQ(inferred(ReflectPad{.multiple = 8}, {x, {12}, {12}}), (Dims{kN, kH.round_up(8), kW.round_up(8), 12}));
    EXPECT_EQ(inferred(Crop{.height = kH, .width = 5}, {x, {12}, {12}}), (Dims{kN, kH, 5, 12}));
}

TEST(InferOutput, AssertsThatTheOperatorFits) {
    EXPECT_DEATH(inferred(PixelShuffle{.factor = 5}, {{kN, kH, kW, 12}}), "op_violation");
    EXPECT_DEATH(inferred(Activate{}, {}), "op_violation");
}

TEST(Graph, CountsWhatItHolds) {
    Graph const graph = test::small_network();
    // scale, shift; first; qkv, table, proj, norm; fc1, fc2; up.
    EXPECT_EQ(parameter_count(graph), 6 + (324 + 12) + (432 + 450 + 156 + 24) + (312 + 300) + 1296);
    // On one padded window of 64 pixels: two convolutions, qkv and proj, q·k and weights·v of 64 tokens, fc1 and fc2.
    double const per_pixel = 324 + 1296 + (432 + 144 + 2 * 64 * 12) + (288 + 288);
    EXPECT_EQ(flops(graph, {.n = 1, .h = 5, .w = 6}), 2 * 64 * per_pixel);
    EXPECT_EQ(flops(graph, {.n = 3, .h = 9, .w = 8}), 3 * 2 * 2 * 64 * per_pixel);
}

}  // namespace
}  // namespace vitrum
