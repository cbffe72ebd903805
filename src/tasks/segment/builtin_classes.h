// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace vitrum {

struct BuiltinClass {
    int category_id;  ///< in the dataset's own annotations
    bool is_thing;
    std::string_view name;
};

// In the order of a network's logits.
[[nodiscard]] std::span<BuiltinClass const> coco_classes();
[[nodiscard]] std::span<BuiltinClass const> ade20k_classes();
[[nodiscard]] std::span<BuiltinClass const> cityscapes_classes();

}  // namespace vitrum
