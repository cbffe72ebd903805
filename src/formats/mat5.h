// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "mat_choice.h"
#include "source.h"

namespace vitrum {

/// The header of MATLAB's format 5 (versions 5 to 7) or of 7.3, which share it.
[[nodiscard]] bool has_mat_header(ByteSpan bytes);

/// Real numeric arrays of a .mat file of format 5, compressed or not. Our own reader, on zlib: libmatio sizes its
/// memory by what a header promises (tbeu/matio#334), and masks come from strangers.
/// https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf
[[nodiscard]] Array read_mat5(ByteSpan bytes, std::string const& file, std::string_view variable);

}  // namespace vitrum
