// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "source.h"

namespace vitrum {

/// One entry of a safetensors header, as it stands there.
struct SafetensorsEntry {
    std::string name;
    std::string dtype;
    std::vector<std::int64_t> shape;
    std::vector<std::uint64_t> offsets;  ///< begin and end within the data
    bool has_dtype = false, has_shape = false, has_offsets = false;
};

struct SafetensorsHeader {
    std::vector<SafetensorsEntry> entries;        ///< in the file's order
    std::map<std::string, std::string> metadata;  ///< __metadata__
};

/// Parses the JSON of a header. Throws Error for anything but the format's own structure.
[[nodiscard]] SafetensorsHeader parse_safetensors_header(std::string_view file, std::string_view json);

}  // namespace vitrum
