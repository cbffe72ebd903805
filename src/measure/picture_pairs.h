// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace vitrum {

struct PicturePair {
    std::filesystem::path degraded, reference;
};

/// A picture's name without what test sets add to tell degraded from original: "babyx4", "baby_x4_LR" and
/// "baby_HR" all become "baby" at scale 4.
[[nodiscard]] std::string common_name(std::string_view stem, int scale);

/// Pairs every picture of one folder with the one of the other that has the same name, or else the same
/// common name. Throws Error for a folder without pictures, a picture without or with several partners.
[[nodiscard]] std::vector<PicturePair> pair_pictures(std::filesystem::path const& degraded,
                                                     std::filesystem::path const& reference, int scale);

}  // namespace vitrum
