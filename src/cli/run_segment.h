// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "run_options.h"
#include "vitrum/engine.h"

namespace vitrum::cli {

/// `vitrum run` with a network that finds what a picture shows: label pictures, COCO JSON and overlays.
[[nodiscard]] int run_segment(RunOptions const& options, Engine const& engine);

}  // namespace vitrum::cli
