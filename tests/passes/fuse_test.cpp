// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "passes/passes.h"

namespace vitrum {
namespace {

/// A graph under construction with weights of one shared block of zeros: passes read shapes only.
struct GraphMaker {
    Graph graph;
    ValueId x;

    explicit GraphMaker(std::int64_t channels = 4)
        : x(graph.add_input("x", {Dim(Symbol::n), Dim(Symbol::h).round_up(2), Dim(Symbol::w).round_up(2), channels})) {}

    ValueId weight(std::string name, Shape const& shape) {
        auto owner = std::make_shared<std::vector<float> const>(static_cast<std::size_t>(shape.count()));
        return graph.add_constant(std::move(name), {shape, owner->data(), owner});
    }
    ValueId norm(ValueId from) {
        return graph.add(LayerNorm{1e-6F}, {from, weight("g", {4}), weight("b", {4})}, "norm");
    }
    ValueId attention(ValueId from) {
        return graph.add(WindowAttention{.heads = 2, .window = 2},
                         {from, weight("qkv", {12, 4}), kNone, weight("table", {9, 2}), weight("proj", {4, 4}),
                          weight("proj_b", {4}), kNone, kNone, kNone},
                         "attn");
    }
    ValueId mlp(ValueId from) {
        return graph.add(Mlp{},
                         {from, weight("fc1", {8, 4}), weight("fc1_b", {8}), weight("fc2", {4, 8}),
                          weight("fc2_b", {4}), kNone, kNone, kNone},
                         "mlp");
    }
    ValueId shift_mlp(ValueId from) {
        return graph.add(
            ShiftMlp{},
            {from, weight("fc1", {8, 4}), weight("fc1_b", {8}), weight("fc2", {4, 8}), weight("fc2_b", {4}), kNone},
            "lfe");
    }
    /// On six channels.
    ValueId group_attention(ValueId from) {
        return graph.add(GroupWindowAttention{.windows = {1, 2, 2}},
                         {from, weight("in", {12, 6}), weight("in_b", {12}), weight("out", {6, 6}),
                          weight("out_b", {6}), kNone, kNone},
                         "gmsa");
    }
    ValueId conv_mlp(ValueId from) {
        return graph.add(ConvMlp{},
                         {from, weight("fc1", {8, 4, 1, 1}), weight("depth", {8, 1, 3, 3}), weight("fc2", {4, 8, 1, 1}),
                          kNone, kNone, kNone},
                         "ff");
    }
    ValueId spectral_attention(ValueId from) {
        Shape const square{4, 4};
        Shape const filter{4, 1, 3, 3};
        return graph.add(
            SpectralAttention{2},
            {from, weight("q", square), weight("k", square), weight("v", square), weight("r", {2, 1, 1}),
             weight("proj", square), weight("proj_b", {4}), weight("p1", filter), weight("p2", filter), kNone, kNone},
            "attn");
    }
    ValueId conv(ValueId from, std::int64_t out = 4) {
        return graph.add(Conv2d{}, {from, weight("w", {out, 4, 3, 3}), weight("w_b", {out}), kNone}, "conv");
    }
    ValueId add(ValueId a, ValueId b) { return graph.add(Add{}, {a, b}, "add"); }
    ValueId leaky(ValueId from) { return graph.add(Activate{Activation::leaky_relu, 0.2F}, {from}, "lrelu"); }
    ValueId shuffle(ValueId from) { return graph.add(PixelShuffle{2}, {from}, "shuffle"); }

    Graph done(ValueId output) {
        graph.outputs = {output};
        verify(graph);
        return std::move(graph);
    }
};

template <class Op>
Op const& only(Graph const& graph) {
    EXPECT_EQ(graph.nodes.size(), 1U) << print(graph);
    return std::get<Op>(graph.nodes.front().op);
}

TEST(FuseNorm, MovesTheNormIntoAttention) {
    GraphMaker m;
    Graph const fused = fuse_norm(m.done(m.attention(m.norm(m.x))));
    verify(fused);
    EXPECT_FLOAT_EQ(only<WindowAttention>(fused).norm_epsilon, 1e-6F);
    EXPECT_EQ(fused.nodes[0].inputs[WindowAttention::kX], m.x);
    EXPECT_NE(fused.nodes[0].inputs[WindowAttention::kNormWeight], kNone);
}

TEST(FuseNorm, MovesTheNormIntoMlp) {
    GraphMaker m;
    Graph const fused = fuse_norm(m.done(m.mlp(m.norm(m.x))));
    verify(fused);
    EXPECT_FLOAT_EQ(only<Mlp>(fused).norm_epsilon, 1e-6F);
}

TEST(FuseNorm, MovesTheNormIntoConvMlp) {
    GraphMaker m;
    Graph const fused = fuse_norm(m.done(m.conv_mlp(m.norm(m.x))));
    verify(fused);
    EXPECT_FLOAT_EQ(only<ConvMlp>(fused).norm_epsilon, 1e-6F);
}

TEST(FuseResidual, MakesTheSumPartOfMstsOperators) {
    GraphMaker m;
    ValueId const x = m.add(m.spectral_attention(m.x), m.x);
    Graph const fused = fuse_residual(m.done(m.add(m.conv_mlp(x), x)));
    verify(fused);
    ASSERT_EQ(fused.nodes.size(), 2U) << print(fused);
    EXPECT_EQ(fused.nodes[0].inputs[SpectralAttention::kResidual], m.x);
    EXPECT_EQ(fused.nodes[1].inputs[ConvMlp::kResidual], x);
}

TEST(FuseNorm, LeavesANormThatSomebodyElseReads) {
    GraphMaker m;
    ValueId const norm = m.norm(m.x);
    Graph const graph = m.done(m.add(norm, m.mlp(norm)));
    EXPECT_EQ(fuse_norm(graph).nodes.size(), graph.nodes.size());
}

TEST(FuseNorm, LeavesASecondNormOutside) {
    GraphMaker m;
    Graph const fused = fuse_norm(m.done(m.mlp(m.norm(m.norm(m.x)))));
    verify(fused);
    EXPECT_EQ(fused.nodes.size(), 2U);
}

TEST(FuseActivation, BecomesTheConvolutionsEpilogue) {
    GraphMaker m;
    Graph const fused = fuse_activation(m.done(m.leaky(m.conv(m.x))));
    verify(fused);
    EXPECT_EQ(only<Conv2d>(fused).activation, Activation::leaky_relu);
    EXPECT_FLOAT_EQ(only<Conv2d>(fused).negative_slope, 0.2F);
}

TEST(FuseActivation, StandsBehindAResidualThatIsThereAlready) {
    GraphMaker m;
    Graph const fused = fuse_activation(fuse_residual(m.done(m.leaky(m.add(m.conv(m.x), m.x)))));
    verify(fused);
    EXPECT_EQ(only<Conv2d>(fused).activation, Activation::leaky_relu);
    EXPECT_EQ(only<Conv2d>(fused).residual_place, ResidualPlace::before_activation);
}

TEST(FuseActivation, LeavesASecondActivationOutside) {
    GraphMaker m;
    Graph const fused = fuse_activation(m.done(m.leaky(m.leaky(m.conv(m.x)))));
    verify(fused);
    EXPECT_EQ(fused.nodes.size(), 2U);
}

TEST(FuseResidual, TakesTheSumFromEitherSide) {
    for (bool const first : {true, false}) {
        GraphMaker m;
        ValueId const conv = m.conv(m.x);
        Graph const fused = fuse_residual(m.done(first ? m.add(conv, m.x) : m.add(m.x, conv)));
        verify(fused);
        only<Conv2d>(fused);
        EXPECT_EQ(fused.nodes[0].inputs[Conv2d::kResidual], m.x);
    }
}

TEST(FuseResidual, ReachesElansOperators) {
    GraphMaker lfe;
    Graph const with_lfe = fuse_residual(lfe.done(lfe.add(lfe.shift_mlp(lfe.x), lfe.x)));
    only<ShiftMlp>(with_lfe);
    EXPECT_EQ(with_lfe.nodes[0].inputs[ShiftMlp::kResidual], lfe.x);
    GraphMaker gmsa(6);
    Graph const with_gmsa = fuse_residual(gmsa.done(gmsa.add(gmsa.group_attention(gmsa.x), gmsa.x)));
    only<GroupWindowAttention>(with_gmsa);
    EXPECT_EQ(with_gmsa.nodes[0].inputs[GroupWindowAttention::kResidual], gmsa.x);
}

TEST(FuseResidual, ReordersSoThatTheSummandIsThere) {
    GraphMaker m;
    ValueId const early = m.mlp(m.x);
    ValueId const late = m.norm(m.x);  // made after the operator that will add it
    Graph const fused = fuse_residual(m.done(m.add(early, late)));
    verify(fused);
    ASSERT_EQ(fused.nodes.size(), 2U);
    EXPECT_EQ(fused.nodes[1].inputs[Mlp::kResidual], late);
}

TEST(FuseResidual, LeavesASecondSumOutside) {
    GraphMaker m;
    Graph const fused = fuse_residual(m.done(m.add(m.add(m.conv(m.x), m.x), m.x)));
    verify(fused);
    EXPECT_EQ(fused.nodes.size(), 2U);
}

TEST(FuseResidual, LeavesASumOfAValueWithItself) {
    GraphMaker m;
    ValueId const conv = m.conv(m.x);
    EXPECT_EQ(fuse_residual(m.done(m.add(conv, conv))).nodes.size(), 2U);
}

TEST(FusePixelShuffle, BecomesTheConvolutionsStore) {
    GraphMaker m;
    Graph const fused = fuse_pixel_shuffle(m.done(m.shuffle(m.conv(m.x, 16))));
    verify(fused);
    EXPECT_EQ(only<Conv2d>(fused).pixel_shuffle, 2);
}

TEST(Optimise, FusesAWholeSwinBlockAndAnUpsampler) {
    GraphMaker m;
    ValueId x = m.add(m.x, m.attention(m.norm(m.x)));
    x = m.add(x, m.mlp(m.norm(x)));
    x = m.add(m.conv(x), m.x);
    x = m.shuffle(m.conv(m.leaky(m.conv(x)), 16));
    Graph const optimised = optimise(m.done(x));
    ASSERT_EQ(optimised.nodes.size(), 5U) << print(optimised);
    EXPECT_TRUE(std::holds_alternative<WindowAttention>(optimised.nodes[0].op));
    EXPECT_TRUE(std::holds_alternative<Mlp>(optimised.nodes[1].op));
    EXPECT_NE(optimised.nodes[2].inputs[Conv2d::kResidual], kNone);
    EXPECT_EQ(std::get<Conv2d>(optimised.nodes[3].op).activation, Activation::leaky_relu);
    EXPECT_EQ(std::get<Conv2d>(optimised.nodes[4].op).pixel_shuffle, 2);
}

TEST(Optimise, KeepsExtentsAndParameters) {
    GraphMaker m;
    Graph const graph = m.done(m.shuffle(m.leaky(m.conv(m.x, 16))));
    Graph const optimised = optimise(graph);
    EXPECT_EQ(optimised.value(optimised.outputs[0]).dims, graph.value(graph.outputs[0]).dims);
    EXPECT_EQ(parameter_count(optimised), parameter_count(graph));
}

}  // namespace
}  // namespace vitrum
