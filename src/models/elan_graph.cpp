// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/check.h"
#include "elan.h"
#include "models/batch_norm.h"

namespace vitrum::elan {
namespace {

constexpr int kColours = 3;

class Builder {
public:
    Builder(Config const& config, Weights& weights) : c_(config), weights_(weights) {}

    Graph build() {
        Dim const height = Dim(Symbol::h);
        Dim const width = Dim(Symbol::w);
        auto const input = graph_.add_input("input", {Dim(Symbol::n), height, width, kColours});
        auto const [minus_scale, minus_shift] = mean_shift("sub_mean");
        auto const x = graph_.add(ReflectPad{.multiple = window_multiple(c_.windows)},
                                  {input, minus_scale, minus_shift}, "sub_mean");
        auto const shallow = conv(x, c_.head(), kColours, c_.channels);
        auto deep = shallow;
        for (int block = 0; block < c_.blocks; ++block) deep = elab(deep, block);
        deep = graph_.add(Add{}, {deep, shallow}, "body");
        auto const pixels = graph_.add(PixelShuffle{c_.scale},
                                       {conv(deep, "tail.0", c_.channels, kColours * c_.scale * c_.scale)}, "tail.1");
        auto const [plus_scale, plus_shift] = mean_shift("add_mean");
        graph_.add_output("output", graph_.add(Crop{height.times(c_.scale), width.times(c_.scale)},
                                               {pixels, plus_scale, plus_shift}, "add_mean"));
        return std::move(graph_);
    }

private:
    ValueId constant(std::string const& name, Constant value) { return graph_.add_constant(name, std::move(value)); }

    /// A 1×1 convolution's weight [O, I, 1, 1] as the matrix [O, I].
    ValueId matrix(std::string const& name, std::int64_t out, std::int64_t in) {
        Constant weight = weights_.get(name, {out, in, 1, 1});
        weight.shape = {out, in};
        return constant(name, std::move(weight));
    }
    ValueId vector(std::string const& name, std::int64_t size) { return constant(name, weights_.get(name, {size})); }

    ValueId conv(ValueId x, std::string const& name, std::int64_t in, std::int64_t out) {
        auto const weight = constant(name + ".weight", weights_.get(name + ".weight", {out, in, 3, 3}));
        return graph_.add(Conv2d{}, {x, weight, vector(name + ".bias", out), kNone}, name);
    }

    /// MeanShift is a 1×1 convolution that nobody trained: a scale and a shift per colour.
    std::pair<ValueId, ValueId> mean_shift(std::string const& name) {
        Constant const weight = weights_.get(name + ".weight", {kColours, kColours, 1, 1});
        auto scale = std::make_shared<std::vector<float>>(kColours);
        for (std::size_t i = 0; weight.data != nullptr && i < kColours * kColours; ++i) {
            bool const diagonal = i % (kColours + 1) == 0;
            if (diagonal) (*scale)[i / kColours] = weight.data[i];
            else if (weight.data[i] != 0) fail("{}.weight mixes colours, which no published ELAN does", name);
        }
        float const* const data = weight.data == nullptr ? nullptr : scale->data();
        return {constant(name + ".weight", {Shape{kColours}, data, scale}), vector(name + ".bias", kColours)};
    }

    ValueId lfe(ValueId x, int block, int pair) {
        auto const first = c_.lfe_conv(block, pair, 0);
        auto const second = c_.lfe_conv(block, pair, 1);
        auto const y = graph_.add(
            ShiftMlp{},
            {x, matrix(first + ".weight", c_.hidden, c_.channels), vector(first + ".bias", c_.hidden),
             matrix(second + ".weight", c_.channels, c_.hidden), vector(second + ".bias", c_.channels), kNone},
            fmt::format("body.{}.modules_lfe.{}", block, pair));
        return graph_.add(Add{}, {y, x}, fmt::format("body.{}", block));
    }

    /// Of a projection to q_0, v_0, q_1, v_1, q_2, v_2: its queries (part 0) or its values (part 1).
    [[nodiscard]] ConvConstants part_of(ConvConstants const& from, std::int64_t part) const {
        auto const dim = c_.channels / GroupWindowAttention::kGroups;
        auto const rows_of = [&](Constant const& all, Shape const& shape) -> Constant {
            if (all.data == nullptr) return {shape, nullptr, nullptr};
            auto const row = shape.count() / c_.channels;
            auto values = std::make_shared<std::vector<float>>(static_cast<std::size_t>(shape.count()));
            for (std::int64_t g = 0; g < GroupWindowAttention::kGroups; ++g) {
                std::copy_n(all.data + (2 * g + part) * dim * row, dim * row, values->data() + g * dim * row);
            }
            return {shape, values->data(), values};
        };
        return {rows_of(from.weight, {c_.channels, c_.channels}), rows_of(from.bias, {c_.channels})};
    }

    ConvConstants project_in(std::string const& name, std::int64_t rows) {
        auto folded = get_conv_with_batch_norm(weights_, name + ".project_inp.0", {rows, c_.channels, 1, 1},
                                               ConvBias::present, name + ".project_inp.1");
        folded.weight.shape = {rows, c_.channels};
        return folded;
    }

    /// The queries on their own, for pairs that share their maps.
    ValueId queries(ValueId x, ConvConstants project, std::string const& name) {
        project.weight.shape = {c_.channels, c_.channels, 1, 1};
        return graph_.add(
            Conv2d{.kernel = 1},
            {x, constant(name + ".weight", project.weight), constant(name + ".bias", project.bias), kNone}, name);
    }

    ValueId attention(ValueId x, ConvConstants const& in, ValueId query, int block, int pair) {
        auto const name = c_.gmsa(block, pair);
        auto const y = graph_.add(
            GroupWindowAttention{.windows = c_.windows, .shifted = c_.shifted[static_cast<std::size_t>(block)]},
            {x, constant(name + ".project_inp.weight", in.weight), constant(name + ".project_inp.bias", in.bias),
             matrix(name + ".project_out.weight", c_.channels, c_.channels),
             vector(name + ".project_out.bias", c_.channels), query, kNone},
            name);
        return graph_.add(Add{}, {y, x}, fmt::format("body.{}", block));
    }

    ValueId elab(ValueId x, int block) {
        ValueId query = kNone;
        for (int pair = 0; pair <= c_.n_share; ++pair) {
            x = lfe(x, block, pair);
            auto const name = c_.gmsa(block, pair);
            auto in = project_in(name, pair == 0 ? 2 * c_.channels : c_.channels);
            if (pair == 0 && c_.n_share > 0) {
                query = queries(x, part_of(in, 0), name + ".project_inp.q");
                in = part_of(in, 1);
            }
            x = attention(x, in, query, block, pair);
        }
        return x;
    }

    Config const& c_;
    Weights& weights_;
    Graph graph_;
};

}  // namespace

Graph build_graph(Config const& config, Weights& weights) {
    return Builder(config, weights).build();
}

}  // namespace vitrum::elan
