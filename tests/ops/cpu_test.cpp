// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cases.h"
#include "cpu/backend.h"
#include "harness.h"

namespace vitrum::test {
namespace {

/// The CPU backend for every instruction set of this machine.
std::vector<Subject> every_isa() {
    static std::vector<std::unique_ptr<Backend>> const backends = [] {
        std::vector<std::unique_ptr<Backend>> made;
        for (std::string const& isa : cpu_isas()) {
            made.push_back(make_cpu_backend({.isa = isa}));
            VITRUM_ASSERT(made.back()->isa() == isa);
        }
        return made;
    }();
    std::vector<Subject> subjects;
    for (auto const& backend : backends) subjects.push_back({*backend});
    return subjects;
}

class CpuBackend : public testing::TestWithParam<OpCase> {};

TEST_P(CpuBackend, AgreesWithReference) {
    check_against_reference(every_isa(), GetParam());
}

TEST_P(CpuBackend, LosesNoNumberSilently) {
    if (!GetParam().is_small()) GTEST_SKIP() << "each operator has cases of less work";
    check_lost_numbers_show(every_isa(), GetParam());
}

INSTANTIATE_TEST_SUITE_P(Cases, CpuBackend, testing::ValuesIn(all_cases()),
                         [](auto const& at) { return at.param.name; });

}  // namespace
}  // namespace vitrum::test
