// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/array.h"

namespace vitrum {

/// Which variable of a .mat file is meant: the one that was named, or else the only one that can be a picture.
class MatChoice {
public:
    MatChoice(std::string_view file, std::string_view variable) : file_(file), variable_(variable) {}

    /// Whether the variable is wanted, and the numbers of it are worth reading. Called once for each in turn.
    [[nodiscard]] bool wants(std::string const& name, Shape const& shape);
    void take(Array array) { array_ = std::move(array); }

    /// The one. Throws Error where there is none, or where there are several and none was named.
    [[nodiscard]] Array result();

private:
    [[nodiscard]] std::string list() const;

    std::string_view file_, variable_;
    std::vector<std::string> seen_;  ///< "mask [256, 256]"
    int candidates_ = 0;
    std::optional<Array> array_;
};

}  // namespace vitrum
