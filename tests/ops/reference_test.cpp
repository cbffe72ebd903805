// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "cases.h"
#include "harness.h"
#include "reference/backend.h"

namespace vitrum::test {
namespace {

std::vector<OpCase> small_cases() {
    std::vector<OpCase> cases = all_cases();
    std::erase_if(cases, [](OpCase const& c) { return !c.is_small(); });
    return cases;
}

TEST(Cases, AreSmallOnesForEveryOperator) {
    std::set<std::string_view> all, small;
    for (OpCase const& c : all_cases()) all.insert(name_of(c.op));
    for (OpCase const& c : small_cases()) small.insert(name_of(c.op));
    EXPECT_EQ(small, all);
}

/// The reference against itself: threads, memory, and that numbers are not lost. It does one thing at any size, so that
/// small ones do; large ones it answers for the other backends' tests.
class ReferenceBackend : public testing::TestWithParam<OpCase> {};

TEST_P(ReferenceBackend, KeepsTheContract) {
    auto const backend = make_reference_backend();
    check_against_reference({{*backend}}, GetParam());
}

/// Inputs that decide what is read and need not show themselves: masks by their sign, levels that no sample meets, what
/// becomes an index or a truth value, fillers.
bool only_decides(OpCase const& c, std::size_t input) {
    if (std::holds_alternative<QueryAttention>(c.op)) return input == QueryAttention::kMask;
    if (std::holds_alternative<DeformableAttention>(c.op)) return input >= DeformableAttention::kValue0;
    return std::holds_alternative<Dense>(c.op) && (input > 0 || c.outputs()[0].dense_type().dtype != DType::f32);
}

/// Where every number of an input is lost, some result must say so.
TEST_P(ReferenceBackend, LosesNoNumberSilently) {
    OpCase const& c = GetParam();
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
        if (!can_lose(c.inputs[i]) || only_decides(c, i)) continue;
        SCOPED_TRACE(fmt::format("input {}", i));
        Values values = make_values(c);
        std::ranges::fill(values[i], std::nanf(""));
        EXPECT_TRUE(std::ranges::any_of(reference_output(c, values), [](float y) { return !std::isfinite(y); }));
    }
}

INSTANTIATE_TEST_SUITE_P(Cases, ReferenceBackend, testing::ValuesIn(small_cases()),
                         [](auto const& at) { return at.param.name; });

}  // namespace
}  // namespace vitrum::test
