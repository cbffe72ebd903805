// SPDX-License-Identifier: Apache-2.0
#include "networks.h"

#include <memory>
#include <vector>

#include "constant.h"
#include "engine/engine_data.h"

namespace vitrum {
namespace {

/// Output channel c·scale² + k looks at input channel c only.
std::vector<float> conv_weights(ConvNetwork const& network) {
    int const per_channel = network.scale * network.scale;
    std::vector<float> weights;
    for (int out = 0; out < network.channels * per_channel; ++out) {
        for (int in = 0; in < network.channels; ++in) {
            for (int tap = 0; tap < 9; ++tap) {
                float const weight = tap == 4 ? network.centre : network.around;
                weights.push_back(out / per_channel == in ? weight : 0.0F);
            }
        }
    }
    return weights;
}

}  // namespace

Engine make_engine(ConvNetwork const& network) {
    std::int64_t const channels = network.channels, scale = network.scale, outputs = channels * scale * scale;
    std::vector<float> const ones(static_cast<std::size_t>(channels), 1.0F), zeros(ones.size(), 0.0F);
    Graph graph;
    ValueId const input = graph.add_input("input", {Dim(Symbol::n), Dim(Symbol::h), Dim(Symbol::w), channels});
    ValueId const one = constant(graph, "one", {channels}, ones), zero = constant(graph, "zero", {channels}, zeros);
    ValueId const padded = graph.add(ReflectPad{.multiple = 8}, {input, one, zero}, "pad");
    ValueId const weight = constant(graph, "weight", {outputs, channels, 3, 3}, conv_weights(network));
    ValueId const bias = constant(graph, "bias", {outputs}, std::vector<float>(static_cast<std::size_t>(outputs)));
    ValueId const conv = graph.add(Conv2d{.pixel_shuffle = network.scale}, {padded, weight, bias, kNone}, "conv");
    Crop const crop{Dim(Symbol::h).times(scale), Dim(Symbol::w).times(scale)};
    graph.outputs = {graph.add(crop, {conv, one, zero}, "crop")};

    ModelInfo info;
    info.variant = "a convolution";
    info.scale = network.scale;
    info.in_channels = info.out_channels = network.channels;
    info.value_range = network.value_range;
    info.tile_multiple = 8;
    info.receptive_radius = 8;
    info.mixes_whole_picture = network.mixes_whole_picture;
    CompileOptions const options{.device = Device::reference, .threads = 1, .isa = {}};
    return Engine(std::make_shared<Engine::Data>(info, std::move(graph), options));
}

Engine make_rgb_to_bands(float gain, bool mixes_whole_picture) {
    constexpr std::int64_t kBands = 31;
    std::vector<float> weights;
    for (int i = 0; i < kBands * 3; ++i) weights.push_back(gain * static_cast<float>(i / 3 + 1) / (kBands * 3));
    Graph graph;
    ValueId const input = graph.add_input("input", {Dim(Symbol::n), Dim(Symbol::h), Dim(Symbol::w), 3});
    ValueId const weight = constant(graph, "weight", {kBands, 3, 1, 1}, weights);
    ValueId const bias = constant(graph, "bias", {kBands}, std::vector<float>(kBands));
    graph.add_output("output", graph.add(Conv2d{.kernel = 1}, {input, weight, bias, kNone}, "conv"));

    ModelInfo info;
    info.kind = Task::spectral;
    info.variant = "a spectral convolution";
    info.out_channels = kBands;
    info.tile_multiple = 8;
    info.receptive_radius = 8;
    info.mixes_whole_picture = mixes_whole_picture;
    CompileOptions const options{.device = Device::reference, .threads = 1, .isa = {}};
    return Engine(std::make_shared<Engine::Data>(info, std::move(graph), options));
}

Engine make_snapshot_network() {
    constexpr std::int64_t kBands = 28, kSpread = 54;
    Graph graph;
    Dim const n(Symbol::n), h(Symbol::h), w(Symbol::w);
    ValueId const input = graph.add_input("input", {n, h, w, kBands});
    ValueId const mask = graph.add_input("input_mask", {n, h, w.plus(kSpread), kBands});
    ValueId const one = constant(graph, "one", {kBands}, std::vector<float>(kBands, 1));
    ValueId const zero = constant(graph, "zero", {kBands}, std::vector<float>(kBands));
    ValueId const left = graph.add(Crop{h, w}, {mask, one, zero}, "crop");
    graph.add_output("output", graph.add(Add{}, {input, left}, "add"));

    ModelInfo info;
    info.kind = Task::spectral;
    info.variant = "a sum of snapshot and mask";
    info.in_channels = info.out_channels = kBands;
    info.mixes_whole_picture = true;
    CompileOptions const options{.device = Device::reference, .threads = 1, .isa = {}};
    return Engine(std::make_shared<Engine::Data>(info, std::move(graph), options));
}

}  // namespace vitrum
