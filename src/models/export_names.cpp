// SPDX-License-Identifier: Apache-2.0
#include "models/export_names.h"

#include <array>

namespace vitrum {
namespace {

struct Renamed {
    std::string_view in_memory, published;
};

/// Within Swin under Mask2Former.
constexpr std::string_view kSwin = "pixel_level_module.encoder.";
constexpr std::array kRenamed = {
    Renamed{".encoder.swin.", ".encoder."},
    Renamed{".attention.q_proj.", ".attention.self.query."},
    Renamed{".attention.k_proj.", ".attention.self.key."},
    Renamed{".attention.v_proj.", ".attention.self.value."},
    Renamed{".attention.o_proj.", ".attention.output.dense."},
    Renamed{".attention.relative_position_bias.", ".attention.self."},
    // Of a table that lost its name: between the projections of one attention.
    Renamed{".attention.relative_position_bias_table", ".attention.self.relative_position_bias_table"},
    Renamed{".mlp.fc1.", ".intermediate.dense."},
    Renamed{".mlp.fc2.", ".output.dense."},
};

}  // namespace

std::string published_name(std::string_view in_memory) {
    std::string name(in_memory);
    if (name.find(kSwin) == std::string::npos) return name;
    for (Renamed const& rule : kRenamed) {
        if (auto const at = name.find(rule.in_memory); at != std::string::npos) {
            name.replace(at, rule.in_memory.size(), rule.published);
        }
    }
    return name;
}

}  // namespace vitrum
