// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "backends/device_library.h"
#include "loader/cuda.h"
#include "vitrum/engine.h"
#include "vitrum/error.h"

namespace vitrum {
namespace {

std::string refusal(std::string const& path) {
    try {
        static_cast<void>(open_device_library(path));
    } catch (Error const& error) {
        EXPECT_EQ(error.kind(), ErrorKind::failed);
        return error.what();
    }
    return "";
}

TEST(DeviceLibrary, IsRefusedWithOneLineWhereItCannotBeUsed) {
    EXPECT_NE(refusal("/no/such/libvitrum_cuda.so").find("/no/such"), std::string::npos);
    EXPECT_NE(refusal(VITRUM_TEST_NO_BACKEND).find("no CUDA backend"), std::string::npos);
    EXPECT_NE(refusal(VITRUM_TEST_OTHER_BUILD).find("another build of vitrum (0.0.1-stranger"), std::string::npos);
}

TEST(DeviceLibrary, IsNamedByDoctorWhetherItIsThereOrNot) {
    CudaFacts const facts = cuda_facts();
    EXPECT_FALSE(facts.library.empty());
    EXPECT_EQ(facts.library.find('\n'), std::string::npos);
}

TEST(DeviceLibrary, RefusesAGpuThatNoMachineHas) {
    EXPECT_THROW(static_cast<void>(open_cuda_backend(4096)), Error);
}

TEST(DeviceName, IsAKindAndANumber) {
    EXPECT_EQ(device_named("cpu").device, Device::cpu);
    EXPECT_EQ(device_named("cuda").device, Device::cuda);
    EXPECT_EQ(device_named("cuda").index, 0);
    EXPECT_EQ(device_named("cuda:12").index, 12);
    EXPECT_EQ(device_name({.device = Device::cuda, .device_index = 12}), "cuda:12");
    for (char const* const wrong : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cuda1", "cuda:99999999999"}) {
        EXPECT_THROW(static_cast<void>(device_named(wrong)), Error) << wrong;
    }
}

}  // namespace
}  // namespace vitrum
