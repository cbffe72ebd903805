// SPDX-License-Identifier: Apache-2.0
#include "small_network.h"

#include <random>

#include "engine/engine_data.h"
#include "passes/passes.h"

namespace vitrum {
namespace {

class Maker {
public:
    Graph make() {
        auto const input = graph_.add_input("input", {Dim(Symbol::n), Dim(Symbol::h), Dim(Symbol::w), 3});
        auto const x = graph_.add(ReflectPad{.multiple = 4}, {input, weight({3}), weight({3})}, "");
        auto const shallow = conv(x, 3, kChannels);
        auto body = norm(shallow);
        for (int const shift : {0, 2}) {
            body = graph_.add(Add{}, {body, attention(norm(body), shift)}, "attn");
            body = graph_.add(Add{}, {body, mlp(norm(body))}, "mlp");
        }
        body = graph_.add(Add{}, {conv(body, kChannels, kChannels), shallow}, "conv");
        body = graph_.add(Activate{Activation::leaky_relu, 0.2F}, {conv(body, kChannels, kChannels)}, "act");
        auto const pixels = graph_.add(PixelShuffle{2}, {conv(body, kChannels, 12)}, "up");
        graph_.outputs = {
            graph_.add(Crop{Dim(Symbol::h).times(2), Dim(Symbol::w).times(2)}, {pixels, weight({3}), weight({3})}, "")};
        return std::move(graph_);
    }

private:
    static constexpr std::int64_t kChannels = 12;

    ValueId weight(Shape const& shape) {
        auto owner = std::make_shared<std::vector<float>>();
        std::uniform_real_distribution<float> uniform(-0.3F, 0.5F);
        for (std::int64_t i = 0; i < shape.count(); ++i) owner->push_back(uniform(random_));
        return graph_.add_constant("w" + std::to_string(graph_.values.size()), {shape, owner->data(), owner});
    }
    ValueId conv(ValueId x, std::int64_t in, std::int64_t out) {
        return graph_.add(Conv2d{}, {x, weight({out, in, 3, 3}), weight({out}), kNone}, "conv");
    }
    ValueId norm(ValueId x) { return graph_.add(LayerNorm{}, {x, weight({kChannels}), weight({kChannels})}, "norm"); }
    ValueId attention(ValueId x, int shift) {
        constexpr auto c = kChannels;
        return graph_.add(
            WindowAttention{.heads = 3, .window = 4, .shift = shift, .scale = 0.5F},
            {x, weight({3 * c, c}), weight({3 * c}), weight({49, 3}), weight({c, c}), weight({c}), kNone, kNone, kNone},
            "attn");
    }
    ValueId mlp(ValueId x) {
        constexpr auto c = kChannels;
        return graph_.add(
            Mlp{}, {x, weight({2 * c, c}), weight({2 * c}), weight({c, 2 * c}), weight({c}), kNone, kNone, kNone},
            "mlp");
    }

    Graph graph_;
    std::mt19937 random_{11};
};

}  // namespace

Graph small_graph() {
    return optimise(Maker().make());
}

Graph graph_with_positions() {
    Graph graph;
    Dim const h(Symbol::h), w(Symbol::w);
    auto owner = std::make_shared<std::vector<float> const>(std::vector<float>{1, 2, 3, 4});
    auto const level = graph.add_constant("level", {{4}, owner->data(), owner});
    auto const x = graph.add_input("input", {Dim(Symbol::n), h, w, 4});
    auto const position = graph.add(SinePosition{.height = h, .width = w}, {level}, "");
    auto const folded = graph.add(Activate{Activation::leaky_relu, -1.0F}, {position}, "");  // its absolute values
    auto const first = graph.add(AddPosition{}, {x, folded}, "");
    auto const half = graph.add(Resize{h.ceil_div(2), w.ceil_div(2)}, {first, kNone}, "");
    auto const coarse = graph.add(SinePosition{.height = h.ceil_div(2), .width = w.ceil_div(2)}, {level}, "");
    auto const second = graph.add(AddPosition{}, {half, coarse}, "");
    auto const again = graph.add(AddPosition{}, {graph.add(Resize{h, w}, {second, first}, ""), folded}, "");
    graph.add_output("output", again);
    return graph;
}

Graph graph_with_branches() {
    Graph graph;
    auto owner = std::make_shared<std::vector<float> const>(std::vector<float>{1.5F, 0.5F, -1, 2});
    auto const numbers = graph.add_constant("numbers", {{4}, owner->data(), owner});
    auto const x = graph.add_input("input", {Dim(Symbol::n), Dim(Symbol::h), Dim(Symbol::w), 4});
    ValueId sum = x;
    for (int branch = 0; branch < 3; ++branch) {
        ValueId end = x;
        for (int i = 0; i <= branch; ++i) end = graph.add(LayerNorm{}, {end, numbers, numbers}, "norm");
        sum = graph.add(Add{}, {sum, end}, "sum");
    }
    graph.add_output("output", sum);
    return graph;
}

ModelInfo small_info() {
    ModelInfo info;
    info.family = "test";
    info.scale = 2;
    info.tile_multiple = 4;
    info.hyperparameters = {{"window_size", "4", "made up"}};
    return info;
}

Graph steep_graph() {
    Graph graph;
    auto const weight = [&](float value, char const* name) {
        auto owner = std::make_shared<std::vector<float> const>(std::vector{value});
        return graph.add_constant(name, {{1, 1, 1, 1}, owner->data(), owner});
    };
    auto zero = std::make_shared<std::vector<float> const>(std::vector{0.0F});
    auto const bias = graph.add_constant("bias", {{1}, zero->data(), zero});
    auto const x = graph.add_input("input", {Dim(Symbol::n), Dim(Symbol::h), Dim(Symbol::w), 1});
    auto const large = graph.add(Conv2d{.kernel = 1}, {x, weight(3e4F, "up"), bias, kNone}, "up");
    graph.add_output("output", graph.add(Conv2d{.kernel = 1}, {large, weight(1 / 3e4F, "down"), bias, kNone}, "down"));
    return graph;
}

Engine small_engine(CompileOptions const& options) {
    return Engine(std::make_shared<Engine::Data>(small_info(), small_graph(), options));
}

void fill_input(Session& session) {
    std::mt19937 random(5);
    for (float& value : session.input()) value = static_cast<float>(random() % 256) / 255.0F;
}

}  // namespace vitrum
