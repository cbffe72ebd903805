// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "copy_check.h"
#include "gpu.h"

namespace vitrum::test {
namespace {

TEST(CudaQueue, CopiesEveryElement) {
    if (gpu().backend == nullptr) GTEST_SKIP() << gpu().why_not;
    check_copies(copier_of(*gpu().backend->memory()));
}

TEST(CudaQueue, NotesWhatIsNotFinite) {
    if (gpu().backend == nullptr) GTEST_SKIP() << gpu().why_not;
    check_noted_faults(copier_of(*gpu().backend->memory()));
}

}  // namespace
}  // namespace vitrum::test
