// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cases.h"
#include "cpu/backend.h"
#include "harness.h"

namespace vitrum::test {
namespace {

/// Every case on every instruction set of this machine.
class CpuBackend : public testing::TestWithParam<std::tuple<std::string, OpCase>> {};

TEST_P(CpuBackend, AgreesWithReference) {
    auto const& [isa, c] = GetParam();
    auto const backend = make_cpu_backend({.isa = isa});
    ASSERT_EQ(backend->isa(), isa);
    check_against_reference(*backend, c);
}

TEST_P(CpuBackend, LosesNoNumberSilently) {
    auto const& [isa, c] = GetParam();
    std::int64_t values = 0;
    for (CaseInput const& input : c.inputs) values += input.present() ? input.shape.count() : 0;
    if (values > 150000) GTEST_SKIP() << "each operator has cases of less work";
    check_lost_numbers_show(*make_cpu_backend({.isa = isa}), c);
}

INSTANTIATE_TEST_SUITE_P(Cases, CpuBackend,
                         testing::Combine(testing::ValuesIn(cpu_isas()), testing::ValuesIn(all_cases())),
                         [](auto const& at) { return std::get<0>(at.param) + "_" + std::get<1>(at.param).name; });

}  // namespace
}  // namespace vitrum::test
