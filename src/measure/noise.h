// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vitrum/engine.h"

namespace vitrum {

/// Fills a prepared session's inputs with values spread evenly over the network's range, the same on every machine.
void fill_with_noise(Session& session, Sizes const& sizes);

}  // namespace vitrum
