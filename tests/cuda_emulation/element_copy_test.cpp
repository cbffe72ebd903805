// SPDX-License-Identifier: Apache-2.0
#include "element_copy.h"

#include <gtest/gtest.h>

#include "copy_check.h"

namespace vitrum::test {
namespace {

std::uint32_t copied(TensorView const& to, std::span<std::byte>, TensorView const& from, std::span<std::byte const>) {
    std::uint32_t faults = 0;
    cuda::copy_elements(to, from, &faults, nullptr);
    return faults;
}

TEST(CudaElementCopy, KeepsEveryElement) {
    check_copies(copied);
}

TEST(CudaElementCopy, NotesWhatIsNotFinite) {
    check_noted_faults(copied);
}

}  // namespace
}  // namespace vitrum::test
