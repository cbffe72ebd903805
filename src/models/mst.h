// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "models/state_dict.h"

namespace vitrum::mst {

enum class Variant {
    plus_plus,  ///< MST++ (Cai et al. 2022b): several U-shapes in a row, from RGB
    rgb,        ///< MST (Cai et al. 2022a) from RGB: makes its guiding mask itself
    cassi,      ///< MST for coded-aperture snapshots: the camera's mask is a second input
};

/// Columns that the optics of the snapshot camera move each band against the one before (CASSI).
inline constexpr int kCassiStep = 2;
/// Rows of the pictures that those shifts were designed for; the original defines them for no larger ones.
inline constexpr int kCassiRows = 256;

/// Every hyper-parameter of an MST.
struct Config {
    Variant variant = Variant::plus_plus;
    std::int64_t in_channels = 3, out_channels = 31;
    std::int64_t dim = 31;    ///< features at full size; each level down doubles them
    int stages = 1;           ///< of plus_plus
    std::vector<int> blocks;  ///< of each level, the bottleneck last; the decoder mirrors the encoder
    std::vector<int> heads;   ///< of each level

    [[nodiscard]] int levels() const { return static_cast<int>(blocks.size()) - 1; }
    [[nodiscard]] bool guided() const { return variant != Variant::plus_plus; }
    /// Columns by which the mask is wider than the picture.
    [[nodiscard]] std::int64_t dispersion() const { return kCassiStep * (in_channels - 1); }
};

/// The unoptimised graph: raw pixels (CASSI: bands and mask) in, bands out.
[[nodiscard]] Graph build_graph(Config const& config, Weights& weights);

/// Where the U-shape of a stage lies in the checkpoint: "body.1.", or "" for the networks of one stage.
[[nodiscard]] std::string stage_prefix(Variant variant, int stage);

}  // namespace vitrum::mst
