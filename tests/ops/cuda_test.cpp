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

/// Every case on this machine's GPU.
class CudaBackend : public testing::TestWithParam<OpCase> {};

TEST_P(CudaBackend, AgreesWithReference) {
    if (gpu().backend == nullptr) GTEST_SKIP() << gpu().why_not;
    check_against_reference(*gpu().backend, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Cases, CudaBackend, testing::ValuesIn(all_cases()),
                         [](auto const& at) { return at.param.name; });

}  // namespace
}  // namespace vitrum::test
