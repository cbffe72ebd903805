// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ir/graph.h"

namespace vitrum::test {

/// A weight without values: shape rules need none.
inline ValueId add_weight(Graph& graph, std::string name, Shape const& shape) {
    return graph.add_constant(std::move(name), {shape, nullptr, nullptr});
}

/// A miniature of a super-resolution network: pad, convolve, one Swin layer, upscale by 2, crop.
inline Graph small_network() {
    Graph g;
    Dim const n{Symbol::n};
    Dim const h{Symbol::h};
    Dim const w{Symbol::w};
    auto const x = g.add_input("input", {n, h, w, 3});
    auto const scale = add_weight(g, "scale", {3});
    auto const shift = add_weight(g, "shift", {3});
    auto const padded = g.add(ReflectPad{.multiple = 8}, {x, scale, shift}, "pad");
    auto const first = g.add(
        Conv2d{}, {padded, add_weight(g, "first.weight", {12, 3, 3, 3}), add_weight(g, "first.bias", {12}), kNone},
        "conv_first");
    auto const attended = g.add(WindowAttention{.heads = 2, .window = 8, .shift = 4, .scale = 0.5F},
                                {first, add_weight(g, "qkv.weight", {36, 12}), kNone, add_weight(g, "table", {225, 2}),
                                 add_weight(g, "proj.weight", {12, 12}), add_weight(g, "proj.bias", {12}),
                                 add_weight(g, "norm.weight", {12}), add_weight(g, "norm.bias", {12}), first},
                                "layers.0.attn");
    auto const mixed =
        g.add(Mlp{},
              {attended, add_weight(g, "fc1.weight", {24, 12}), add_weight(g, "fc1.bias", {24}),
               add_weight(g, "fc2.weight", {12, 24}), add_weight(g, "fc2.bias", {12}), kNone, kNone, attended},
              "layers.0.mlp");
    auto const up = g.add(Conv2d{.activation = Activation::leaky_relu, .negative_slope = 0.5F, .pixel_shuffle = 2},
                          {mixed, add_weight(g, "up.weight", {12, 12, 3, 3}), kNone, kNone}, "upsample");
    g.outputs.push_back(g.add(Crop{.height = h.times(2), .width = w.times(2)}, {up, scale, shift}, ""));
    return g;
}

}  // namespace vitrum::test
