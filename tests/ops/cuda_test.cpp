// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cases.h"
#include "gpu.h"
#include "harness.h"

namespace vitrum::test {
namespace {

void check(std::vector<Precision> const& precisions, OpCase const& c) {
    if (gpu().backend == nullptr) GTEST_SKIP() << gpu().why_not;
    std::vector<Subject> subjects;
    for (Precision const precision : precisions) subjects.push_back({*gpu().backend, precision});
    check_against_reference(subjects, c);
}

/// Every case on this machine's GPU, in every precision.
class CudaBackend : public testing::TestWithParam<OpCase> {};

TEST_P(CudaBackend, AgreesWithReference) {
    check({Precision::fp32, Precision::tf32, Precision::fp16, Precision::bf16}, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Cases, CudaBackend, testing::ValuesIn(all_cases()),
                         [](auto const& at) { return at.param.name; });

/// The cases that are for devices only, in the precisions that hold their range.
class WideCudaBackend : public testing::TestWithParam<OpCase> {};

TEST_P(WideCudaBackend, AgreesWithReference) {
    check({Precision::fp32, Precision::tf32}, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Cases, WideCudaBackend, testing::ValuesIn(wide_cases()),
                         [](auto const& at) { return at.param.name; });

}  // namespace
}  // namespace vitrum::test
