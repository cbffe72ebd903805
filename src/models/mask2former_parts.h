// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/core.h>

#include "mask2former_backbone.h"

namespace vitrum::mask2former {

/// One module under its two names; "{}" stands for an index.
struct Name {
    std::string_view detectron2, hugging_face;

    template <class... Index>
    [[nodiscard]] std::string in(Layout layout, Index... index) const {
        return fmt::format(fmt::runtime(layout == Layout::detectron2 ? detectron2 : hugging_face), index...);
    }
};

/// Weights of a module, made once and used by every node that shares them.
struct Affine {
    ValueId weight = kNone, bias = kNone;
    std::string name;
};

/// What the builders above the backbone put graphs together from.
class Parts {
public:
    Parts(Graph& graph, Weights& weights, Layout layout) : graph_(graph), weights_(weights), layout_(layout) {}

    [[nodiscard]] Graph& graph() { return graph_; }
    [[nodiscard]] Weights& weights() { return weights_; }

    template <class... Index>
    [[nodiscard]] std::string key(Name const& name, Index... index) const {
        return name.in(layout_, index...);
    }

    ValueId constant(std::string const& key, Shape const& shape) {
        return graph_.add_constant(key, weights_.get(key, shape));
    }

    /// Rows `row` to `row + rows` of a matrix, for those that several modules share; `as` gives them another shape.
    Constant rows(std::string const& key, Shape const& shape, std::int64_t row, Shape const& as) {
        Constant part = weights_.get(key, shape);
        if (part.data != nullptr) part.data += row * (shape.count() / shape[0]);
        part.shape = as;
        return part;
    }

    /// A fully connected layer's weights in the shape of a 1 × 1 convolution's.
    Affine linear(std::string const& name, std::int64_t in, std::int64_t out) {
        Constant weight = weights_.get(name + ".weight", {out, in});
        weight.shape = {out, in, 1, 1};
        return {graph_.add_constant(name + ".weight", weight), constant(name + ".bias", {out}), name};
    }

    /// The same as it lies in the file, for operators that take matrices.
    Affine matrix(std::string const& name, std::int64_t in, std::int64_t out) {
        return {constant(name + ".weight", {out, in}), constant(name + ".bias", {out}), name};
    }

    Affine conv(std::string const& name, std::int64_t in, std::int64_t out, int kernel, bool bias = true) {
        return {constant(name + ".weight", {out, in, kernel, kernel}), bias ? constant(name + ".bias", {out}) : kNone,
                name};
    }

    Affine norm(std::string const& name, std::int64_t channels) {
        return {constant(name + ".weight", {channels}), constant(name + ".bias", {channels}), name};
    }

    ValueId apply_conv(Affine const& conv, ValueId x, int kernel = 1, bool relu = false) {
        Conv2d const op{.kernel = kernel, .activation = relu ? Activation::leaky_relu : Activation::none};
        return graph_.add(op, {x, conv.weight, conv.bias, kNone}, conv.name);
    }

    ValueId apply_norm(Affine const& norm, ValueId x) {
        return graph_.add(LayerNorm{}, {x, norm.weight, norm.bias}, norm.name);
    }

    /// norm(x + fc2(relu(fc1(x)))), the feed-forward part of a post-norm layer.
    ValueId apply_feed_forward(Affine const& fc1, Affine const& fc2, Affine const& norm, ValueId x) {
        Mlp const op{.activation = Activation::leaky_relu};
        return apply_norm(norm,
                          graph_.add(op, {x, fc1.weight, fc1.bias, fc2.weight, fc2.bias, kNone, kNone, x}, fc1.name));
    }

private:
    Graph& graph_;
    Weights& weights_;
    Layout layout_;
};

}  // namespace vitrum::mask2former
