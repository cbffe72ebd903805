// SPDX-License-Identifier: Apache-2.0
#include "program_checks.h"

#include "base/check.h"

namespace vitrum {

void check_sizes(Sizes const& sizes) {
    // Far beyond any picture, and small enough that no product of extents below overflows.
    constexpr std::int64_t kMaxSide = 1 << 24;
    constexpr std::int64_t kMaxPixels = std::int64_t{1} << 36;
    bool const ok = sizes.n >= 1 && sizes.h >= 1 && sizes.w >= 1 && sizes.n <= kMaxSide && sizes.h <= kMaxSide &&
                    sizes.w <= kMaxSide && sizes.n * sizes.h <= kMaxPixels / sizes.w;
    if (!ok) {
        fail_as(ErrorKind::usage, "{}×{}×{} (batch, height, width) is out of range: 1 to {} each, 2^36 pixels in all",
                sizes.n, sizes.h, sizes.w, kMaxSide);
    }
}

void check_crop(Node const& node, Problem const& problem) {
    if (!std::holds_alternative<Crop>(node.op)) return;
    Shape const& from = problem.inputs[Crop::kX];
    Shape const& to = problem.outputs.front();
    if (to[1] > from[1] || to[2] > from[2])
        fail("{}: {} cannot be cut out of {}", node.provenance, to.str(), from.str());
}

}  // namespace vitrum
