// SPDX-License-Identifier: Apache-2.0
#include "tasks/segment/run_lengths.h"

#include <algorithm>

namespace vitrum {

void RunBuilder::append(std::span<std::uint32_t const> runs) {
    for (std::size_t i = 0; i < runs.size(); ++i) {
        if (runs[i] != 0) add(i % 2 == 1, runs[i]);
    }
}

std::vector<std::uint32_t> RunBuilder::finish() {
    runs_.push_back(run_);
    return std::move(runs_);
}

std::int64_t area_of(std::span<std::uint32_t const> runs) {
    std::int64_t area = 0;
    for (std::size_t i = 1; i < runs.size(); i += 2) area += runs[i];
    return area;
}

Box box_of(std::span<std::uint32_t const> runs, std::int64_t height) {
    if (area_of(runs) == 0) return {};
    std::int64_t left = -1, right = 0, top = height, bottom = 0;
    for_each_stretch(runs, height, [&](std::int64_t x, std::int64_t begin, std::int64_t end) {
        if (left < 0) left = x;
        right = x + 1;
        top = std::min(top, begin);
        bottom = std::max(bottom, end);
    });
    return {left, top, right - left, bottom - top};
}

/// The published format of the COCO API (rleToString): each run as its difference from the one before the last,
/// five bits a letter from '0' on, the sixth bit saying that more follow.
std::string coco_counts(std::vector<std::uint32_t> const& runs) {
    std::string text;
    for (std::size_t i = 0; i < runs.size(); ++i) {
        auto value = static_cast<std::int64_t>(runs[i]);
        if (i > 2) value -= static_cast<std::int64_t>(runs[i - 2]);
        for (bool more = true; more;) {
            auto letter = static_cast<int>(value & 0x1F);
            value >>= 5;  // keeps the sign
            more = (letter & 0x10) != 0 ? value != -1 : value != 0;
            if (more) letter |= 0x20;
            text += static_cast<char>(letter + '0');
        }
    }
    return text;
}

}  // namespace vitrum
