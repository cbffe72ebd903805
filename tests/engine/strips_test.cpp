// SPDX-License-Identifier: Apache-2.0
#include "strips.h"

#include <gtest/gtest.h>

#include <random>

#include "engine/engine_data.h"
#include "small_network.h"

namespace vitrum {
namespace {

/// An upsampler of every operator that strips know: ×4 by a shuffle and by repetition, kernels of 1, 3 and 5.
class Upsampler {
public:
    /// `narrow`: channels before the first shuffle.
    Graph make(std::int64_t narrow = 2) {
        Dim const h(Symbol::h), w(Symbol::w);
        ValueId x = graph_.add_input("input", {Dim(Symbol::n), h, w, 3});
        x = conv(x, 3, 12, {.kernel = 3});
        x = graph_.add(Add{}, {x, x}, "body");
        x = conv(x, 12, narrow, {.kernel = 3, .activation = Activation::leaky_relu, .negative_slope = 0.2F});
        x = conv(x, narrow, 32, {.kernel = 5, .pixel_shuffle = 2});
        x = graph_.add(ResizeNearest{2}, {x}, "twice");
        x = conv(x, 8, 16, {.kernel = 1});
        x = conv(x, 16, 3, {.kernel = 3});
        graph_.outputs = {graph_.add(Crop{h.times(4), w.times(4)}, {x, weight({3}), weight({3})}, "")};
        return std::move(graph_);
    }

private:
    ValueId weight(Shape const& shape) {
        auto owner = std::make_shared<std::vector<float>>();
        std::uniform_real_distribution<float> uniform(-0.3F, 0.5F);
        for (std::int64_t i = 0; i < shape.count(); ++i) owner->push_back(uniform(random_));
        return graph_.add_constant("w" + std::to_string(graph_.values.size()), {shape, owner->data(), owner});
    }
    ValueId conv(ValueId x, std::int64_t in, std::int64_t out, Conv2d const& op) {
        return graph_.add(op, {x, weight({out, in, op.kernel, op.kernel}), weight({out}), kNone}, "conv");
    }

    Graph graph_;
    std::mt19937 random_{3};
};

std::vector<float> run(CompileOptions const& options, Sizes const& sizes, std::size_t strip_bytes) {
    auto data = std::make_shared<Engine::Data>(small_info(), Upsampler().make(), options);
    data->strip_bytes = strip_bytes;
    Session session{Engine(data)};
    session.prepare(sizes);
    fill_input(session);
    session.run();
    return {session.output().begin(), session.output().end()};
}

std::size_t arena_bytes(Sizes const& sizes, std::size_t strip_bytes) {
    auto data = std::make_shared<Engine::Data>(small_info(), Upsampler().make(), CompileOptions{.threads = 2});
    data->strip_bytes = strip_bytes;
    return Engine(data).arena_bytes(sizes);
}

TEST(Strips, GiveTheSameBitsAsWholePictures) {
    for (Sizes const sizes : {Sizes{1, 75, 9}, Sizes{1, 17, 5}, Sizes{1, 16, 1}, Sizes{1, 64, 33}}) {
        for (Device const device : {Device::reference, Device::cpu}) {
            auto const whole = run({.device = device}, sizes, std::size_t{1} << 40);
            EXPECT_EQ(run({.device = device}, sizes, 1), whole) << sizes.h << "×" << sizes.w;
            EXPECT_EQ(run({.device = device}, sizes, 50'000), whole) << sizes.h << "×" << sizes.w;
        }
    }
}

TEST(Strips, TakeTheMemoryOfAStrip) {
    Sizes const sizes{1, 1000, 200};
    std::size_t const whole = arena_bytes(sizes, std::size_t{1} << 40), strips = arena_bytes(sizes, 4 << 20);
    // Held whole: the input, 2 channels at its size, the output at 16 times its pixels.
    std::size_t const least = 1000 * 200 * (3 + 2 + 16 * 3) * sizeof(float);
    EXPECT_GT(whole, 3 * least);
    EXPECT_LT(strips, least + 8 * (4 << 20));
}

TEST(Strips, AreSmallOnAHost) {
    Sizes const sizes{1, 1000, 200};
    auto const data = std::make_shared<Engine::Data>(small_info(), Upsampler().make(), CompileOptions{.threads = 2});
    EXPECT_EQ(Engine(data).arena_bytes(sizes), arena_bytes(sizes, 8 << 20));
    EXPECT_LT(Engine(data).arena_bytes(sizes), arena_bytes(sizes, kStripBytes));
}

TEST(Strips, BeginBehindTheSmallestActivation) {
    Graph const graph = Upsampler().make();
    auto const chain = cut_into_strips(graph, {1, 100, 10}, 100'000);
    ASSERT_TRUE(chain);
    EXPECT_EQ(chain->first, 3U);
    Rows const rows = chain->strips.front().back().output;
    EXPECT_EQ(rows.begin, 0);
    EXPECT_EQ(rows.count() % 64, 0);
    EXPECT_EQ(chain->strips.back().back().output.end, 400);
    // 1 row around at four times the size, 2 at the input's.
    EXPECT_EQ(chain->strips.front().front().input.end, (rows.end + 1 + 3) / 4 + 2);
}

TEST(Strips, AreMadeWhereTheOutputIsSmallerThanAllBeforeIt) {
    auto const chain = cut_into_strips(Upsampler().make(100), {1, 100, 10}, 100'000);
    ASSERT_TRUE(chain);
    EXPECT_EQ(chain->first, 2U) << "12 channels, behind the sum that reads a value twice";
}

TEST(Strips, AreNotMadeWhereMemoryIsSmallOrPicturesAreMany) {
    Graph const graph = Upsampler().make();
    EXPECT_FALSE(cut_into_strips(graph, {1, 100, 10}, std::size_t{1} << 30));
    EXPECT_FALSE(cut_into_strips(graph, {2, 100, 10}, 1));
    EXPECT_FALSE(cut_into_strips(small_graph(), {1, 100, 10}, std::size_t{1} << 30));
}

}  // namespace
}  // namespace vitrum
