// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/checkpoint.h"
#include "source.h"

namespace vitrum {

/// A plain pickle of numpy arrays, as detectron2 stores its models.
[[nodiscard]] Checkpoint read_plain_pickle(Source const& source);

}  // namespace vitrum
