// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ostream>
#include <span>
#include <vector>

#include "op_case.h"

namespace vitrum::test {

/// How GoogleTest shows a case.
inline void PrintTo(OpCase const& c, std::ostream* out) {
    *out << c.name;
}

/// max|y − ŷ| / rms(ŷ): DESIGN's normalised error with the root mean square for the standard deviation (equal
/// for outputs of mean zero, and defined for one element). NaN where any value is.
[[nodiscard]] double normalised_error(std::span<float const> y, std::span<float const> expected);

/// What this precision may lose against the reference on this case, as a normalised error.
[[nodiscard]] double tolerance(OpCase const& c, Precision precision = Precision::fp32);

/// The reference backend's output for these inputs.
[[nodiscard]] std::vector<float> reference_output(OpCase const& c, Values const& values);

/// What is held against the reference: a backend in one of its precisions.
struct Subject {
    Backend const& backend;
    Precision precision = Precision::fp32;
};

/// Demands of each, with 1, 2 and 3 threads (on a device once), the reference's result within the tolerance, guards
/// that stand, and the very same result in place of every input that the kernel calls reusable. Several at once share
/// the reference's result, which takes longer than theirs.
void check_against_reference(std::vector<Subject> const& subjects, OpCase const& c);

/// Whether the input holds activations in which a NaN may stand.
[[nodiscard]] bool can_lose(CaseInput const& input);

/// Demands that a NaN or an infinity among the activations shows in every result in which it shows in the reference's:
/// as a NaN or an infinity, whichever. What is lost silently leaves as a wrong picture.
void check_lost_numbers_show(std::vector<Subject> const& subjects, OpCase const& c);

}  // namespace vitrum::test
