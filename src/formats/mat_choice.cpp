// SPDX-License-Identifier: Apache-2.0
#include "mat_choice.h"

#include <algorithm>

#include "base/check.h"
#include "formats/text.h"

namespace vitrum {

bool MatChoice::wants(std::string const& name, Shape const& shape) {
    constexpr std::size_t kListed = 10;
    if (seen_.size() < kListed) seen_.push_back(excerpt(name) + " " + shape.str());
    if (!variable_.empty()) return name == variable_;
    bool const can_be_picture = std::ranges::count_if(shape, [](std::int64_t extent) { return extent > 1; }) >= 2;
    if (!can_be_picture) return false;
    return ++candidates_ == 1;
}

std::string MatChoice::list() const {
    std::string text;
    for (std::string const& name : seen_) text += (text.empty() ? "" : ", ") + name;
    return text.empty() ? "no array of numbers" : text;
}

Array MatChoice::result() {
    if (candidates_ > 1) {
        fail_as(ErrorKind::usage, "{}: holds several arrays ({}); name one after a colon: {}:NAME", file_, list(),
                file_);
    }
    if (!array_ && !variable_.empty()) fail("{}: holds no variable {}; it has {}", file_, excerpt(variable_), list());
    if (!array_) fail("{}: holds no picture-like array of numbers; it has {}", file_, list());
    return std::move(*array_);
}

}  // namespace vitrum
