// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "run_options.h"
#include "vitrum/engine.h"

namespace vitrum::cli {

/// `vitrum run` with a network that gives spectra: of pictures, or of coded-aperture snapshots.
[[nodiscard]] int run_spectral(RunOptions const& options, Engine const& engine);

}  // namespace vitrum::cli
