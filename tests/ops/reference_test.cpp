// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cases.h"
#include "harness.h"
#include "reference/backend.h"

namespace vitrum::test {
namespace {

/// The reference against itself: threads, memory, and that it answers every case at all.
class ReferenceBackend : public testing::TestWithParam<OpCase> {};

TEST_P(ReferenceBackend, KeepsTheContract) {
    check_against_reference(*make_reference_backend(), GetParam());
}

INSTANTIATE_TEST_SUITE_P(Cases, ReferenceBackend, testing::ValuesIn(all_cases()),
                         [](auto const& at) { return at.param.name; });

}  // namespace
}  // namespace vitrum::test
