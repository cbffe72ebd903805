// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "run_options.h"
#include "vitrum/engine.h"

namespace vitrum::cli {

/// `vitrum run` with a network that gives pictures: super-resolution, denoising, JPEG artefacts.
[[nodiscard]] int run_restore(RunOptions const& options, Engine const& engine);

}  // namespace vitrum::cli
