// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "models/state_dict.h"

namespace vitrum::swinir {

/// How features become pixels.
enum class Upsampler {
    none,                  ///< denoising, JPEG artefacts: the network adds a correction to its input
    pixel_shuffle,         ///< classical super-resolution
    pixel_shuffle_direct,  ///< lightweight: one convolution straight to the pixels
    nearest_conv,          ///< real-world: nearest-neighbour steps with convolutions
};

/// Every hyper-parameter of a SwinIR (Liang et al. 2021).
struct Config {
    std::int64_t in_channels = 3, out_channels = 3, embed_dim = 0, features = 0;
    std::vector<int> depths, heads;
    std::vector<std::int64_t> mlp_hidden;
    int window = 8;
    int scale = 1;
    Upsampler upsampler = Upsampler::none;
    std::vector<int> upsample_factors;  ///< of pixel_shuffle: 2, 2 for ×4
    bool three_convs = false;           ///< residual connections "3conv" instead of "1conv"
    bool qkv_bias = true;
    float img_range = 1.0F;
    std::vector<float> mean;
    std::vector<std::vector<int>> shifts;  ///< [layer][block]
};

[[nodiscard]] std::string block_key(std::size_t layer, int block);

/// The unoptimised graph: raw pixels in [0, 1] in, raw pixels out, any size.
[[nodiscard]] Graph build_graph(Config const& config, Weights& weights);

}  // namespace vitrum::swinir
