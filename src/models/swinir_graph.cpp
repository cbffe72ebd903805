// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "base/check.h"
#include "swinir.h"

namespace vitrum::swinir {
namespace {

class Builder {
public:
    Builder(Config const& config, Weights& weights) : c_(config), weights_(weights) {}

    Graph build() {
        Dim const height = Dim(Symbol::h);
        Dim const width = Dim(Symbol::w);
        auto const input = graph_.add_input("input", {Dim(Symbol::n), height, width, c_.in_channels});
        // (x − mean) · range on the padded picture
        std::vector<float> shift;
        for (float const mean : c_.mean) shift.push_back(-mean * c_.img_range);
        auto const x = graph_.add(ReflectPad{.multiple = c_.window},
                                  {input, vector("input_scale", std::vector<float>(c_.mean.size(), c_.img_range)),
                                   vector("input_shift", shift)},
                                  "");
        auto const shallow = conv(x, "conv_first", c_.in_channels, c_.embed_dim);
        auto const deep = add(residual_conv(deep_features(shallow), "conv_after_body"), shallow, "conv_after_body");
        auto const pixels = reconstruct(deep, x);
        auto const output =
            graph_.add(Crop{height.times(c_.scale), width.times(c_.scale)},
                       {pixels, vector("output_scale", std::vector<float>(c_.mean.size(), 1 / c_.img_range)),
                        vector("output_shift", c_.mean)},
                       "");
        graph_.add_output("output", output);
        return std::move(graph_);
    }

private:
    ValueId weight(std::string const& name, Shape const& shape) {
        return graph_.add_constant(name, weights_.get(name, shape));
    }

    ValueId vector(std::string const& name, std::vector<float> values) {
        auto owner = std::make_shared<std::vector<float> const>(std::move(values));
        return graph_.add_constant(name, {Shape{static_cast<std::int64_t>(owner->size())}, owner->data(), owner});
    }

    ValueId add(ValueId a, ValueId b, std::string const& name) { return graph_.add(Add{}, {a, b}, name); }

    ValueId conv(ValueId x, std::string const& name, std::int64_t in, std::int64_t out, int kernel = 3) {
        return graph_.add(
            Conv2d{.kernel = kernel},
            {x, weight(name + ".weight", {out, in, kernel, kernel}), weight(name + ".bias", {out}), kNone}, name);
    }

    ValueId leaky_relu(ValueId x, float slope, std::string const& name) {
        return graph_.add(Activate{Activation::leaky_relu, slope}, {x}, name);
    }

    ValueId norm(ValueId x, std::string const& name) {
        return graph_.add(LayerNorm{},
                          {x, weight(name + ".weight", {c_.embed_dim}), weight(name + ".bias", {c_.embed_dim})}, name);
    }

    /// The convolution that closes a residual connection: one 3×3, or 3×3 → 1×1 → 3×3 with a bottleneck.
    ValueId residual_conv(ValueId x, std::string const& name) {
        auto const c = c_.embed_dim;
        if (!c_.three_convs) return conv(x, name, c, c);
        x = leaky_relu(conv(x, name + ".0", c, c / 4), 0.2F, name + ".1");
        x = leaky_relu(conv(x, name + ".2", c / 4, c / 4, 1), 0.2F, name + ".3");
        return conv(x, name + ".4", c / 4, c);
    }

    ValueId attention(ValueId x, std::size_t layer, int block) {
        auto const name = block_key(layer, block) + ".attn";
        auto const c = c_.embed_dim;
        std::int64_t const heads = c_.heads[layer];
        auto const head_dim = c / heads;
        std::int64_t const span = 2 * c_.window - 1;
        WindowAttention const op{.heads = static_cast<int>(heads),
                                 .window = c_.window,
                                 .shift = c_.shifts[layer][static_cast<std::size_t>(block)],
                                 .scale = 1.0F / std::sqrt(static_cast<float>(head_dim))};
        return graph_.add(
            op,
            {x, weight(name + ".qkv.weight", {3 * c, c}), c_.qkv_bias ? weight(name + ".qkv.bias", {3 * c}) : kNone,
             weight(name + ".relative_position_bias_table", {span * span, heads}),
             weight(name + ".proj.weight", {c, c}), weight(name + ".proj.bias", {c}), kNone, kNone, kNone},
            name);
    }

    ValueId mlp(ValueId x, std::size_t layer, int block) {
        auto const name = block_key(layer, block) + ".mlp";
        auto const hidden = c_.mlp_hidden[layer];
        return graph_.add(Mlp{},
                          {x, weight(name + ".fc1.weight", {hidden, c_.embed_dim}),
                           weight(name + ".fc1.bias", {hidden}), weight(name + ".fc2.weight", {c_.embed_dim, hidden}),
                           weight(name + ".fc2.bias", {c_.embed_dim}), kNone, kNone, kNone},
                          name);
    }

    ValueId deep_features(ValueId x) {
        x = norm(x, "patch_embed.norm");
        for (std::size_t layer = 0; layer < c_.depths.size(); ++layer) {
            auto const entry = x;
            for (int block = 0; block < c_.depths[layer]; ++block) {
                auto const name = block_key(layer, block);
                x = add(x, attention(norm(x, name + ".norm1"), layer, block), name + ".attn");
                x = add(x, mlp(norm(x, name + ".norm2"), layer, block), name + ".mlp");
            }
            auto const name = fmt::format("layers.{}.conv", layer);
            x = add(residual_conv(x, name), entry, name);
        }
        return norm(x, "norm");
    }

    ValueId reconstruct(ValueId deep, ValueId x) {
        switch (c_.upsampler) {
            case Upsampler::none: return add(x, conv(deep, "conv_last", c_.embed_dim, c_.out_channels), "conv_last");
            case Upsampler::pixel_shuffle: return reconstruct_pixel_shuffle(deep);
            case Upsampler::nearest_conv: return reconstruct_nearest_conv(deep);
            case Upsampler::pixel_shuffle_direct: break;
        }
        auto const pixels = conv(deep, "upsample.0", c_.embed_dim, c_.out_channels * c_.scale * c_.scale);
        return graph_.add(PixelShuffle{c_.scale}, {pixels}, "upsample.1");
    }

    ValueId before_upsample(ValueId deep) {
        // The slope is PyTorch's default there, and 0.2 in every other LeakyReLU of this network.
        return leaky_relu(conv(deep, "conv_before_upsample.0", c_.embed_dim, c_.features), 0.01F,
                          "conv_before_upsample.1");
    }

    ValueId reconstruct_pixel_shuffle(ValueId deep) {
        auto x = before_upsample(deep);
        for (std::size_t i = 0; i < c_.upsample_factors.size(); ++i) {
            int const factor = c_.upsample_factors[i];
            auto const name = fmt::format("upsample.{}", 2 * i);
            x = conv(x, name, c_.features, c_.features * factor * factor);
            x = graph_.add(PixelShuffle{factor}, {x}, fmt::format("upsample.{}", 2 * i + 1));
        }
        return conv(x, "conv_last", c_.features, c_.out_channels);
    }

    ValueId reconstruct_nearest_conv(ValueId deep) {
        auto x = before_upsample(deep);
        for (int step = 1; 1 << step <= c_.scale; ++step) {
            auto const name = fmt::format("conv_up{}", step);
            x = graph_.add(ResizeNearest{2}, {x}, name);
            x = leaky_relu(conv(x, name, c_.features, c_.features), 0.2F, name);
        }
        x = leaky_relu(conv(x, "conv_hr", c_.features, c_.features), 0.2F, "conv_hr");
        return conv(x, "conv_last", c_.features, c_.out_channels);
    }

    Config const& c_;
    Weights& weights_;
    Graph graph_;
};

}  // namespace

std::string block_key(std::size_t layer, int block) {
    return fmt::format("layers.{}.residual_group.blocks.{}", layer, block);
}

Graph build_graph(Config const& config, Weights& weights) {
    return Builder(config, weights).build();
}

}  // namespace vitrum::swinir
