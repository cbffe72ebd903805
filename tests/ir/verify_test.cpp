// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "graphs.h"

namespace vitrum {
namespace {

using Dims = std::vector<Dim>;

Dims picture(std::int64_t channels) {
    return {Dim{Symbol::n}, Dim{Symbol::h}, Dim{Symbol::w}, channels};
}
Dims padded(std::int64_t channels) {
    return {Dim{Symbol::n}, Dim{Symbol::h}.round_up(8), Dim{Symbol::w}.round_up(8), channels};
}

std::string violation(Op const& op, std::vector<Dims> const& inputs) {
    return op_violation(op, inputs);
}

testing::AssertionResult says(std::string const& text, std::string_view what) {
    if (!what.empty() && text.find(what) != std::string::npos) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "\"" << text << "\" does not say \"" << what << "\"";
}

TEST(OpViolation, InputsAreThere) {
    EXPECT_TRUE(says(violation(Add{}, {picture(3)}), "wrong number of inputs"));
    EXPECT_TRUE(says(violation(Add{}, {picture(3), {}}), "absent"));
    EXPECT_TRUE(says(violation(LayerNorm{}, {picture(3), {3}, {}}), "absent"));
    EXPECT_TRUE(says(violation(Activate{}, {{3, 3}}), "[N, H, W, C]"));
    EXPECT_TRUE(says(violation(Activate{}, {{1, 1, 1, Dim{Symbol::h}}}), "[N, H, W, C]"));
}

TEST(OpViolation, Conv2d) {
    Dims const weight{8, 3, 3, 3};
    EXPECT_EQ(violation(Conv2d{}, {picture(3), weight, {8}, picture(8)}), "");
    EXPECT_EQ(violation(Conv2d{}, {picture(3), weight, {}, {}}), "");
    EXPECT_TRUE(says(violation(Conv2d{.kernel = 17}, {picture(3), {8, 3, 17, 17}, {}, {}}), "kernel"));
    for (int const stride : {-1, 0, 17}) {
        EXPECT_TRUE(says(violation(Conv2d{.stride = stride}, {picture(3), weight, {}, picture(8)}), "stride"));
    }
    EXPECT_TRUE(says(violation(Conv2d{}, {picture(4), weight, {}, {}}), "wrong shape"));
    EXPECT_TRUE(says(violation(Conv2d{}, {picture(3), weight, {7}, {}}), "wrong shape"));
    EXPECT_TRUE(says(violation(Conv2d{.pixel_shuffle = 3}, {picture(3), weight, {}, {}}), "shuffle"));
    EXPECT_TRUE(says(violation(Conv2d{}, {picture(3), weight, {}, picture(3)}), "extents"));
}

std::vector<Dims> attention_inputs() {
    return {padded(12), {36, 12}, {36}, {225, 2}, {12, 12}, {12}, {12}, {12}, padded(12)};
}

TEST(OpViolation, WindowAttention) {
    using Op = WindowAttention;
    Op const op{.heads = 2, .window = 8, .shift = 4};
    auto const with = [](int input, Dims dims) {
        auto inputs = attention_inputs();
        inputs[static_cast<std::size_t>(input)] = std::move(dims);
        return inputs;
    };
    EXPECT_EQ(violation(op, attention_inputs()), "");
    EXPECT_EQ(violation(op, with(Op::kQkvBias, {})), "");
    EXPECT_EQ(violation(op, with(Op::kResidual, {})), "");
    EXPECT_TRUE(says(violation(Op{.heads = 5}, attention_inputs()), "heads"));
    EXPECT_TRUE(says(violation(Op{.heads = 0}, attention_inputs()), "heads"));
    EXPECT_TRUE(says(violation(Op{.heads = 2, .window = 0}, attention_inputs()), "window"));
    EXPECT_TRUE(says(violation(Op{.heads = 2, .shift = 8}, attention_inputs()), "shift"));
    EXPECT_TRUE(says(violation(Op{.heads = 2, .shift = -1}, attention_inputs()), "shift"));
    EXPECT_TRUE(says(violation(op, with(Op::kQkvWeight, {12, 36})), "wrong shape"));
    EXPECT_TRUE(says(violation(op, with(Op::kBiasTable, {64, 2})), "wrong shape"));
    EXPECT_TRUE(says(violation(op, with(Op::kProjBias, {})), "absent"));
    EXPECT_TRUE(says(violation(op, with(Op::kNormBias, {})), "norm"));
    EXPECT_TRUE(says(violation(op, with(Op::kResidual, padded(13))), "extents"));
}

TEST(OpViolation, Mlp) {
    Dims const x = picture(12);
    EXPECT_EQ(violation(Mlp{}, {x, {25, 12}, {25}, {12, 25}, {12}, {}, {}, {}}), "");
    EXPECT_TRUE(says(violation(Mlp{}, {x, {25, 12}, {24}, {12, 25}, {12}, {}, {}, {}}), "wrong shape"));
    EXPECT_TRUE(says(violation(Mlp{}, {x, {25, 12}, {25}, {12, 24}, {12}, {}, {}, {}}), "wrong shape"));
    EXPECT_TRUE(says(violation(Mlp{}, {x, {25, 12}, {25}, {12, 25}, {12}, {12}, {}, {}}), "norm"));
    EXPECT_TRUE(says(violation(Mlp{}, {x, {25, 12}, {25}, {12, 25}, {12}, {}, {}, picture(3)}), "extents"));
}

TEST(OpViolation, OthersHaveFittingExtents) {
    EXPECT_TRUE(says(violation(LayerNorm{}, {picture(3), {4}, {3}}), "wrong shape"));
    EXPECT_TRUE(says(violation(Add{}, {picture(3), padded(3)}), "extents"));
    EXPECT_TRUE(says(violation(PixelShuffle{.factor = 2}, {picture(6)}), "shuffle"));
    EXPECT_TRUE(says(violation(PixelShuffle{.factor = 0}, {picture(6)}), "shuffle"));
    EXPECT_TRUE(says(violation(ResizeNearest{.factor = 0}, {picture(6)}), "factor"));
    EXPECT_TRUE(says(violation(ReflectPad{.multiple = 0}, {picture(3), {3}, {3}}), "multiple"));
    EXPECT_TRUE(says(violation(ReflectPad{}, {picture(3), {3}, {1}}), "wrong shape"));
    EXPECT_TRUE(says(violation(Crop{.height = 1, .width = 1}, {picture(3), {2}, {3}}), "wrong shape"));
}

TEST(Verify, AcceptsANetwork) {
    EXPECT_EQ(graph_violation(test::small_network()), "");
    verify(test::small_network());
}

TEST(GraphViolation, ValuesAreDefinedOnceAndBefore) {
    Graph reversed = test::small_network();
    std::swap(reversed.nodes[1], reversed.nodes[2]);
    EXPECT_TRUE(says(graph_violation(reversed), "nothing made before"));

    Graph twice = test::small_network();
    twice.nodes.push_back(twice.nodes.back());
    EXPECT_TRUE(says(graph_violation(twice), "made twice"));

    Graph beyond = test::small_network();
    beyond.nodes[0].inputs[0] = static_cast<ValueId>(beyond.values.size());
    EXPECT_TRUE(says(graph_violation(beyond), "nothing made before"));

    Graph negative = test::small_network();
    negative.nodes[0].inputs[0] = -2;
    EXPECT_TRUE(says(graph_violation(negative), "nothing made before"));
}

TEST(GraphViolation, EachNodeHasTheOutputsOfItsRule) {
    Graph none = test::small_network();
    none.nodes[1].outputs.clear();
    EXPECT_TRUE(says(graph_violation(none), "number of outputs"));

    Graph other = test::small_network();
    other.values[static_cast<std::size_t>(other.outputs[0])].dims[1] = Dim(7);
    EXPECT_TRUE(says(graph_violation(other), "shape rule"));

    Graph broken = test::small_network();
    std::get<Conv2d>(broken.nodes[1].op).kernel = 1;
    EXPECT_TRUE(says(graph_violation(broken), "node 1 (Conv2d)"));
}

TEST(GraphViolation, OutputsAreMadeByNodesAndListedOnce) {
    Graph nothing = test::small_network();
    nothing.outputs.clear();
    EXPECT_TRUE(says(graph_violation(nothing), "no output"));

    Graph constant = test::small_network();
    constant.inputs[0] = constant.nodes[0].inputs[1];
    EXPECT_TRUE(says(graph_violation(constant), "input of the graph"));

    Graph passed_through = test::small_network();
    passed_through.outputs[0] = passed_through.inputs[0];
    EXPECT_TRUE(says(graph_violation(passed_through), "an input is an output"));

    Graph twice = test::small_network();
    twice.outputs.push_back(twice.outputs[0]);
    EXPECT_TRUE(says(graph_violation(twice), "listed twice"));

    Graph unmade = test::small_network();
    unmade.outputs[0] = unmade.nodes[0].inputs[1];
    EXPECT_TRUE(says(graph_violation(unmade), "output that nothing makes"));
}

TEST(Verify, AbortsOnAViolation) {
    Graph graph = test::small_network();
    graph.outputs.clear();
    EXPECT_DEATH(verify(graph), "internal error");
}

}  // namespace
}  // namespace vitrum
