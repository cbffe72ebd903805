// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/checkpoint.h"
#include "source.h"

namespace vitrum {

/// What torch.save writes since 1.6: a zip archive of NAME/data.pkl and one file per storage, NAME/data/KEY.
[[nodiscard]] Checkpoint read_torch_zip(Source const& source);

}  // namespace vitrum
