// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "mat_choice.h"
#include "source.h"

namespace vitrum {

/// An HDF5 file, with the 512 bytes of MATLAB's header before it or without.
[[nodiscard]] bool is_hdf5(ByteSpan bytes);

/// Numeric arrays at the top of a .mat file of version 7.3, which is HDF5. MATLAB's first index runs fastest, so
/// that the file's own dimensions come the other way round.
[[nodiscard]] Array read_mat73(ByteSpan bytes, std::string const& file, std::string_view variable);

}  // namespace vitrum
