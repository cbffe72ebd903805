// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cases.h"
#include "harness.h"
#include "loader/cuda.h"

namespace vitrum::test {
namespace {

/// The first GPU, opened once; null, with the reason, where there is none.
struct Gpu {
    std::unique_ptr<Backend> backend;
    std::string why_not;
};

Gpu const& gpu() {
    static Gpu const opened = [] {
        Gpu made;
        try {
            made.backend = open_cuda_backend(0);
        } catch (Error const& error) {
            made.why_not = error.what();
        }
        return made;
    }();
    return opened;
}

/// Every case on this machine's GPU, in every precision.
class CudaBackend : public testing::TestWithParam<std::tuple<Precision, OpCase>> {};

TEST_P(CudaBackend, AgreesWithReference) {
    if (gpu().backend == nullptr) GTEST_SKIP() << gpu().why_not;
    auto const& [precision, c] = GetParam();
    check_against_reference(*gpu().backend, c, precision);
}

std::string name_of_case(testing::TestParamInfo<std::tuple<Precision, OpCase>> const& at) {
    return fmt::format("{}_{}", name_of(std::get<0>(at.param)), std::get<1>(at.param).name);
}

INSTANTIATE_TEST_SUITE_P(Cases, CudaBackend,
                         testing::Combine(testing::Values(Precision::fp32, Precision::tf32, Precision::fp16,
                                                          Precision::bf16),
                                          testing::ValuesIn(all_cases())),
                         name_of_case);

INSTANTIATE_TEST_SUITE_P(Wide, CudaBackend,
                         testing::Combine(testing::Values(Precision::fp32, Precision::tf32),
                                          testing::ValuesIn(wide_cases())),
                         name_of_case);

}  // namespace
}  // namespace vitrum::test
