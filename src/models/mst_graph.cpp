// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"
#include "mst.h"

namespace vitrum::mst {
namespace {

constexpr float kSlope = 0.1F;  // of the embeddings' LeakyReLU
constexpr int kMlpRatio = 4;
constexpr int kRgbMultiple = 8;  // the original pads RGB pictures to it, though its two levels need 4 only

class Builder {
public:
    Builder(Config const& config, Weights& weights) : c_(config), weights_(weights) {}

    Graph build() {
        auto const input = graph_.add_input("input", {Dim(Symbol::n), Dim(Symbol::h), Dim(Symbol::w), c_.in_channels});
        ValueId bands = kNone;
        switch (c_.variant) {
            case Variant::plus_plus: bands = plus_plus(padded(input, kRgbMultiple)); break;
            case Variant::rgb: bands = rgb(padded(input, kRgbMultiple)); break;
            case Variant::cassi: bands = cassi(input); break;
        }
        auto const output = graph_.add(
            Crop{Dim(Symbol::h), Dim(Symbol::w)},
            {bands, filled("output_scale", c_.out_channels, 1), filled("output_shift", c_.out_channels, 0)}, "");
        graph_.add_output("output", output);
        return std::move(graph_);
    }

private:
    ValueId plus_plus(ValueId rgb) {
        auto const shallow = conv(rgb, "conv_in", c_.in_channels, c_.dim, 3);
        auto x = shallow;
        for (int stage = 0; stage < c_.stages; ++stage) {
            prefix_ = stage_prefix(c_.variant, stage);
            auto const deep = u_shape(conv(x, prefix_ + "embedding", c_.dim, c_.dim, 3), kNone);
            x = add(conv(deep, prefix_ + "mapping", c_.dim, c_.dim, 3), x, prefix_ + "mapping");
        }
        return add(conv(x, "conv_out", c_.dim, c_.out_channels, 3), shallow, "conv_out");
    }

    ValueId rgb(ValueId rgb) {
        auto const mask = leaky_relu(conv(rgb, "embedding_1", c_.in_channels, c_.dim, 3), "embedding_1");
        auto const x = leaky_relu(conv(rgb, "embedding_2", c_.in_channels, c_.dim, 3), "embedding_2");
        return add(conv(u_shape(x, mask), "mapping", c_.dim, c_.out_channels, 3), x, "mapping");
    }

    ValueId cassi(ValueId input) {
        auto const mask = graph_.add_input(
            "input_mask", {Dim(Symbol::n), Dim(Symbol::h), Dim(Symbol::w).plus(c_.dispersion()), c_.in_channels});
        // The sizes that are allowed need no padding, but so the graph knows that halving and doubling are exact.
        auto const bands = padded(input, 1 << c_.levels());
        auto const x = leaky_relu(conv(bands, "embedding", c_.in_channels, c_.dim, 3), "embedding");
        return add(conv(u_shape(x, mask), "mapping", c_.dim, c_.out_channels, 3), bands, "mapping");
    }

    /// Encoder, bottleneck, decoder; `mask` guides the attention of every level where it is there.
    ValueId u_shape(ValueId x, ValueId mask) {
        std::vector<ValueId> skips;
        std::vector<ValueId> masks;
        for (int level = 0; level < c_.levels(); ++level) {
            auto const name = fmt::format("{}encoder_layers.{}", prefix_, level);
            skips.push_back(blocks(x, mask, level, name + ".0"));
            masks.push_back(mask);
            x = down(skips.back(), level, name + ".1");
            if (mask != kNone) mask = mask_down(mask, level, name + ".2");
        }
        x = blocks(x, mask, c_.levels(), prefix_ + "bottleneck");
        for (int level = c_.levels() - 1; level >= 0; --level) {
            auto const name = fmt::format("{}decoder_layers.{}", prefix_, c_.levels() - 1 - level);
            x = fuse(up(x, level, name + ".0"), skips[static_cast<std::size_t>(level)], level, name + ".1");
            x = blocks(x, masks[static_cast<std::size_t>(level)], level, name + ".2");
        }
        return x;
    }

    ValueId blocks(ValueId x, ValueId mask, int level, std::string const& name) {
        for (int block = 0; block < c_.blocks[static_cast<std::size_t>(level)]; ++block) {
            auto const at = fmt::format("{}.blocks.{}", name, block);
            x = add(attention(x, mask, level, at + ".0"), x, at + ".0");
            x = add(feed_forward(x, level, at + ".1"), x, at + ".1");
        }
        return x;
    }

    ValueId attention(ValueId x, ValueId mask, int level, std::string const& name) {
        auto const c = channels(level);
        int const heads = c_.heads[static_cast<std::size_t>(level)];
        std::vector<ValueId> inputs(SpectralAttention::kInputs, kNone);
        inputs[SpectralAttention::kX] = x;
        inputs[SpectralAttention::kQueryWeight] = weight(name + ".to_q.weight", {c, c});
        inputs[SpectralAttention::kKeyWeight] = weight(name + ".to_k.weight", {c, c});
        inputs[SpectralAttention::kValueWeight] = weight(name + ".to_v.weight", {c, c});
        if (mask != kNone) inputs[SpectralAttention::kGuide] = guide(mask, x, level, name + ".mm");
        inputs[SpectralAttention::kRescale] = weight(name + ".rescale", {heads, 1, 1});
        inputs[SpectralAttention::kProjWeight] = weight(name + ".proj.weight", {c, c});
        inputs[SpectralAttention::kProjBias] = weight(name + ".proj.bias", {c});
        inputs[SpectralAttention::kPosition1] = weight(name + ".pos_emb.0.weight", {c, 1, 3, 3});
        inputs[SpectralAttention::kPosition2] = weight(name + ".pos_emb.2.weight", {c, 1, 3, 3});
        return graph_.add(SpectralAttention{heads}, std::move(inputs), name);
    }

    /// m · (1 + sigmoid(depthwise(conv2(m)))) with m = conv1(mask). Each picture of a batch has its own; the original
    /// takes the first one's for all, which makes a picture's result depend on its neighbours.
    ValueId guide(ValueId mask, ValueId x, int level, std::string const& name) {
        auto const c = channels(level);
        auto const m = conv(mask, name + ".conv1", c, c, 1, true);
        auto const attended =
            graph_.add(DepthwiseConv{5},
                       {conv(m, name + ".conv2", c, c, 1, true), weight(name + ".depth_conv.weight", {c, 1, 5, 5}),
                        weight(name + ".depth_conv.bias", {c}), m},
                       name + ".depth_conv");
        if (c_.variant != Variant::cassi) return attended;
        auto const& dims = graph_.value(x).dims;
        return graph_.add(ShiftBack{.step = kCassiStep, .full_rows = kCassiRows, .height = dims[1], .width = dims[2]},
                          {attended}, name);
    }

    ValueId feed_forward(ValueId x, int level, std::string const& name) {
        auto const c = channels(level);
        auto const hidden = kMlpRatio * c;
        auto const normed = graph_.add(
            LayerNorm{}, {x, weight(name + ".norm.weight", {c}), weight(name + ".norm.bias", {c})}, name + ".norm");
        return graph_.add(ConvMlp{},
                          {normed, weight(name + ".fn.net.0.weight", {hidden, c, 1, 1}),
                           weight(name + ".fn.net.2.weight", {hidden, 1, 3, 3}),
                           weight(name + ".fn.net.4.weight", {c, hidden, 1, 1}), kNone, kNone, kNone},
                          name + ".fn");
    }

    ValueId down(ValueId x, int level, std::string const& name) {
        auto const c = channels(level);
        return graph_.add(Conv2d{.kernel = 4, .stride = 2},
                          {x, weight(name + ".weight", {2 * c, c, 4, 4}), kNone, kNone}, name);
    }

    /// PyTorch's convolution rounds an odd width down, ours up: what lies beyond is cut off.
    ValueId mask_down(ValueId mask, int level, std::string const& name) {
        auto const half = down(mask, level, name);
        if (c_.variant != Variant::cassi) return half;
        int const factor = 2 << level;
        Dim const height = graph_.value(half).dims[1];
        Dim const width = Dim(Symbol::w).ceil_div(factor).plus(c_.dispersion() / factor);
        if (width == graph_.value(half).dims[2]) return half;
        auto const c = channels(level + 1);
        return graph_.add(Crop{height, width}, {half, filled(name + ".scale", c, 1), filled(name + ".shift", c, 0)},
                          name);
    }

    /// A transposed convolution of 2 × 2 with stride 2 gives each input pixel four output pixels of its own: a 1 × 1
    /// convolution to four times the channels, and a pixel shuffle.
    ValueId up(ValueId x, int level, std::string const& name) {
        auto const in = channels(level + 1);
        auto const out = channels(level);
        auto const transposed = weights_.get(name + ".weight", {in, out, 2, 2});
        auto const bias = weights_.get(name + ".bias", {out});
        auto const shuffled = derived(name + ".weight", {4 * out, in, 1, 1}, transposed, [&](std::int64_t i) {
            return i % in * 4 * out + i / in;  // [in][out · 4] to [out · 4][in]
        });
        auto const repeated = derived(name + ".bias", {4 * out}, bias, [](std::int64_t i) { return i / 4; });
        x = graph_.add(Conv2d{.kernel = 1}, {x, shuffled, repeated, kNone}, name);
        return graph_.add(PixelShuffle{2}, {x}, name);
    }

    /// A 1 × 1 convolution of both inputs' channels one after the other: the sum of one of each.
    ValueId fuse(ValueId x, ValueId skip, int level, std::string const& name) {
        auto const c = channels(level);
        auto const both = weights_.get(name + ".weight", {c, 2 * c, 1, 1});
        auto const part = [&](ValueId of, std::int64_t first) {
            auto const half = derived(fmt::format("{}.weight[{}]", name, first / c), {c, c, 1, 1}, both,
                                      [&](std::int64_t i) { return i / c * 2 * c + first + i % c; });
            return graph_.add(Conv2d{.kernel = 1}, {of, half, kNone, kNone}, name);
        };
        auto const a = part(x, 0);
        return add(part(skip, c), a, name);
    }

    [[nodiscard]] std::int64_t channels(int level) const { return c_.dim << level; }

    ValueId weight(std::string const& name, Shape const& shape) {
        return graph_.add_constant(name, weights_.get(name, shape));
    }

    /// A constant of `shape` whose element i is element source(i) of another; without data while shapes are checked.
    template <class Source>
    ValueId derived(std::string const& name, Shape const& shape, Constant const& from, Source const& source) {
        if (from.data == nullptr) return graph_.add_constant(name, {shape, nullptr, nullptr});
        std::vector<float> values(static_cast<std::size_t>(shape.count()));
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = from.data[source(static_cast<std::int64_t>(i))];
        return owned(name, shape, std::move(values));
    }

    ValueId filled(std::string const& name, std::int64_t count, float value) {
        return owned(name, {count}, std::vector<float>(static_cast<std::size_t>(count), value));
    }

    ValueId owned(std::string const& name, Shape const& shape, std::vector<float> values) {
        auto owner = std::make_shared<std::vector<float> const>(std::move(values));
        return graph_.add_constant(name, {shape, owner->data(), owner});
    }

    ValueId padded(ValueId x, int multiple) {
        return graph_.add(ReflectPad{multiple},
                          {x, filled("input_scale", c_.in_channels, 1), filled("input_shift", c_.in_channels, 0)}, "");
    }

    ValueId conv(ValueId x, std::string const& name, std::int64_t in, std::int64_t out, int kernel, bool bias = false) {
        return graph_.add(Conv2d{.kernel = kernel},
                          {x, weight(name + ".weight", {out, in, kernel, kernel}),
                           bias ? weight(name + ".bias", {out}) : kNone, kNone},
                          name);
    }

    ValueId leaky_relu(ValueId x, std::string const& name) {
        return graph_.add(Activate{Activation::leaky_relu, kSlope}, {x}, name);
    }

    ValueId add(ValueId a, ValueId b, std::string const& name) { return graph_.add(Add{}, {a, b}, name); }

    Config const& c_;
    Weights& weights_;
    Graph graph_;
    std::string prefix_;  ///< of the stage under construction
};

}  // namespace

std::string stage_prefix(Variant variant, int stage) {
    return variant == Variant::plus_plus ? fmt::format("body.{}.", stage) : "";
}

Graph build_graph(Config const& config, Weights& weights) {
    return Builder(config, weights).build();
}

}  // namespace vitrum::mst
