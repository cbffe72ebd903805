// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "verb.h"
#include "vitrum/cube.h"
#include "vitrum/spectral.h"

namespace vitrum::cli {

inline constexpr auto kSpectralGroup = "Spectral cubes";

/// What `vitrum run` is told about cubes.
struct SpectralRunOptions {
    std::string mask;
    std::string normalise = "original";
    bool no_clip = false;
    std::string previews, rgb;
    std::vector<std::string> points, boxes;
    std::string spectrum, plot;

    /// That at most one input can have.
    [[nodiscard]] bool writes_single_files() const { return !rgb.empty() || !spectrum.empty() || !plot.empty(); }
};

void add_spectral_options(Verb const& verb, SpectralRunOptions& options);

[[nodiscard]] Normalisation parse_normalisation(std::string const& text);
/// The points and boxes asked for, in their order.
[[nodiscard]] std::vector<CubeBox> asked_boxes(SpectralRunOptions const& options);

}  // namespace vitrum::cli
