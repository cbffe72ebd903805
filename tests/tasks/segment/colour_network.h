// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vitrum/engine.h"

namespace vitrum {

/// A network that segments by colour: query 0 finds red, 1 green, 2 blue, sure of classes 0, 1, 2 (and 4, "nothing",
/// is far). Black, grey and white belong to no query. It has `classes` classes and one mask pixel for 4×4 pixels.
struct ColourNetwork {
    int classes = 4;
    float sureness = 12;  ///< logit of a query's class; the others are 0
    float gain = 4;       ///< of masks
    std::vector<std::string> class_names = {};
};

[[nodiscard]] Engine make_colour_engine(ColourNetwork const& network = {});

}  // namespace vitrum
