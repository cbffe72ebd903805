// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "mask2former_backbone.h"

namespace vitrum::mask2former {

/// Maps that the pixel decoder's deformable attention sees and the decoder's queries attend to, coarse to fine.
inline constexpr std::size_t kLevels = 3;

/// Every hyper-parameter of a Mask2Former (Cheng et al. 2022).
struct Config {
    Layout layout = Layout::detectron2;
    BackboneConfig backbone;
    std::int64_t pixel_channels = 256;  ///< of the pixel decoder
    std::int64_t mask_channels = 256;   ///< of what queries and pixels are compared in
    std::int64_t channels = 256;        ///< of the queries
    std::int64_t pixel_hidden = 1024, query_hidden = 2048;
    int pixel_layers = 6, query_layers = 9;
    int heads = 8;   ///< of every attention above the backbone
    int points = 4;  ///< per head and level
    std::int64_t queries = 100, classes = 0;
    bool input_projection = false;  ///< 1 × 1 convolutions between the pixel decoder and the queries' attention
    std::string query_features;     ///< the key of the queries' start, "….query_feat" or the older "….static_query"
};

/// What the pixel decoder gives.
struct PixelMaps {
    ValueId mask_features;                ///< [N, ceil(H / 4), ceil(W / 4), mask_channels]
    std::array<ValueId, kLevels> levels;  ///< strides 32, 16, 8
};

class Parts;

/// Multi-scale deformable attention over the three coarse maps, then one step of a feature pyramid.
[[nodiscard]] PixelMaps build_pixel_decoder(Parts& parts, Config const& config, std::array<ValueId, 4> const& features);

/// Queries through masked attention; adds the graph's outputs `output_logits` and `output_masks`.
void build_query_decoder(Parts& parts, Config const& config, PixelMaps const& maps);

/// The unoptimised graph: a normalised picture of any size in, class logits and masks of every query out.
[[nodiscard]] Graph build_graph(Config const& config, Weights& weights);

}  // namespace vitrum::mask2former
