// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace vitrum {

/// ModelInfo::format of what was read from an engine file.
inline constexpr auto kEngineFileFormat = "vitrum engine";

}  // namespace vitrum
