// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "models/state_dict.h"
#include "vitrum/model.h"

namespace vitrum {

/// A recognised network: what it is, and how to build its graph from the weights.
struct Detection {
    ModelInfo info;
    std::function<Graph(Weights&)> build;
    /// Keys that carry no weights (buffers that the network derives from its sizes).
    std::function<bool(std::string_view)> ignorable;
    /// Names of --set that this family understands.
    std::vector<std::string> overrides;
};

/// Why a file is not of a family: an expected answer, shown when no family matches.
struct Mismatch {
    std::vector<std::string> missing;
    std::vector<std::string> unexpected;
};

using DetectResult = std::variant<Detection, Mismatch>;

/// One network family: reads keys and shapes only, never a weight.
struct Family {
    std::string_view name;
    DetectResult (*detect)(StateDict const& dict, Overrides const& overrides);
};

/// Every family that vitrum knows. To add one: its file and its line in families.cpp.
[[nodiscard]] std::span<Family const> families();

DetectResult detect_mask2former(StateDict const& dict, Overrides const& overrides);
DetectResult detect_swinir(StateDict const& dict, Overrides const& overrides);
DetectResult detect_elan(StateDict const& dict, Overrides const& overrides);
DetectResult detect_mst_plus_plus(StateDict const& dict, Overrides const& overrides);
DetectResult detect_mst(StateDict const& dict, Overrides const& overrides);

}  // namespace vitrum
