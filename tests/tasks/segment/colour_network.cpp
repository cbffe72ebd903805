// SPDX-License-Identifier: Apache-2.0
#include "colour_network.h"

#include <memory>
#include <vector>

#include "../constant.h"
#include "engine/engine_data.h"

namespace vitrum {
namespace {

constexpr int kQueries = 3, kStride = 4, kTaps = kStride * kStride;

/// The mean of 4×4 pixels: one colour less half of each of the others.
std::vector<float> mask_weights(float gain) {
    std::vector<float> weights;
    for (int query = 0; query < kQueries; ++query) {
        for (int channel = 0; channel < 3; ++channel) {
            float const weight = channel == query ? 1.0F : -0.5F;
            weights.insert(weights.end(), kTaps, weight * gain / kTaps);
        }
    }
    return weights;
}

}  // namespace

Engine make_colour_engine(ColourNetwork const& network) {
    Graph graph;
    ValueId const picture = graph.add_input("input", {Dim(Symbol::n), Dim(Symbol::h), Dim(Symbol::w), 3});
    ValueId const weight = constant(graph, "weight", {kQueries, 3, kStride, kStride}, mask_weights(network.gain));
    ValueId const bias = constant(graph, "bias", {kQueries}, std::vector<float>(kQueries, -network.gain));
    ValueId const masks =
        graph.add(Conv2d{.kernel = kStride, .stride = kStride}, {picture, weight, bias, kNone}, "masks");
    std::vector<float> table(static_cast<std::size_t>(kQueries * (network.classes + 1)));
    for (int query = 0; query < kQueries; ++query) {
        table[static_cast<std::size_t>(query * (network.classes + 1) + query)] = network.sureness;
    }
    ValueId const logits = graph.add(Tokens{Dim(Symbol::n)},
                                     {constant(graph, "logits", {kQueries, network.classes + 1}, table)}, "logits");
    graph.add_output("output_logits", logits);
    graph.add_output("output_masks", masks);

    ModelInfo info;
    info.family = "colours";
    info.variant = "a segmenter by colour";
    info.kind = Task::segment;
    info.segmentation.class_names = network.class_names;
    CompileOptions const options{.device = Device::reference, .threads = 2, .isa = {}};
    return Engine(std::make_shared<Engine::Data>(info, std::move(graph), options));
}

}  // namespace vitrum
