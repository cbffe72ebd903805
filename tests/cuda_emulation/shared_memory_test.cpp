// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "kernels/device.cuh"

namespace vitrum::cuda {
namespace {

void kernel() {}
void const* const kKernel = reinterpret_cast<void const*>(kernel);

/// Two sessions may launch one kernel for problems of different sizes: neither takes from the other what it needs.
TEST(SharedMemory, IsNeverTakenBackFromAKernel) {
    EXPECT_EQ(allow_shared(kKernel, 100), cudaSuccess);
    EXPECT_FALSE(emulated_shared_limits.contains(kKernel)) << "so much every block has";
    for (std::size_t const bytes : {60000, 100000, 50000, 100000}) {
        EXPECT_EQ(allow_shared(kKernel, bytes), cudaSuccess);
        EXPECT_GE(emulated_shared_limits.at(kKernel), static_cast<int>(bytes));
    }
    EXPECT_EQ(emulated_shared_limits.at(kKernel), 100000);
}

}  // namespace
}  // namespace vitrum::cuda
