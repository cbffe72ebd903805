// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "vitrum/segment.h"

namespace vitrum {

/// Builds COCO's run lengths from pixels given down the columns, from left to right.
class RunBuilder {
public:
    void add(bool inside, std::uint32_t count = 1) {
        if (inside != inside_) {
            runs_.push_back(run_);
            run_ = 0;
            inside_ = inside;
        }
        run_ += count;
    }
    void append(std::span<std::uint32_t const> runs);
    [[nodiscard]] std::vector<std::uint32_t> finish();

private:
    std::vector<std::uint32_t> runs_;
    std::uint32_t run_ = 0;
    bool inside_ = false;
};

[[nodiscard]] std::int64_t area_of(std::span<std::uint32_t const> runs);
[[nodiscard]] Box box_of(std::span<std::uint32_t const> runs, std::int64_t height);

/// Calls mark(x, y_begin, y_end) for each vertical stretch of the mask.
template <class Mark>
void for_each_stretch(std::span<std::uint32_t const> runs, std::int64_t height, Mark const& mark) {
    std::int64_t at = 0;
    for (std::size_t i = 0; i < runs.size(); ++i) {
        std::int64_t const end = at + runs[i];
        for (; i % 2 == 1 && at < end;) {
            std::int64_t const x = at / height, y = at % height;
            std::int64_t const stop = std::min(height, y + end - at);
            mark(x, y, stop);
            at += stop - y;
        }
        at = end;
    }
}

}  // namespace vitrum
