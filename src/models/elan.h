// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>
#include <vector>

#include "models/state_dict.h"

namespace vitrum::elan {

/// How a checkpoint spells its modules.
enum class Naming {
    keys,   ///< the original's dictionaries: modules_lfe.lfe_0.conv0.shift_conv.conv1x1
    lists,  ///< modules_lfe.0.lfe.0
};

/// Efficient Long-Range Attention Network (Zhang et al. 2022).
struct Config {
    Naming naming = Naming::keys;
    std::int64_t channels = 0, hidden = 0;
    int blocks = 0;   ///< ELABs
    int n_share = 0;  ///< further pairs of LFE and GMSA in a block, which share its attention maps
    int scale = 1;
    std::array<int, 3> windows = {4, 8, 16};
    std::vector<bool> shifted;  ///< [block]

    [[nodiscard]] std::string head() const;
    [[nodiscard]] std::string gmsa(int block, int pair) const;
    /// The first (0) or second (1) 1×1 convolution of an LFE.
    [[nodiscard]] std::string lfe_conv(int block, int pair, int conv) const;
};

/// The least side that all windows divide.
[[nodiscard]] int window_multiple(std::array<int, 3> const& windows);

/// The unoptimised graph: raw pixels in and out, any size.
[[nodiscard]] Graph build_graph(Config const& config, Weights& weights);

}  // namespace vitrum::elan
