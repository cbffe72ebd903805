// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../kernels/device.cuh"

namespace vitrum::cuda::hopper {

struct GroupOutput {
    Pixels y;  ///< 180 channels of whole regions; what was attended, then the result
    Matrix residual;
    std::byte const* weights;  ///< see GroupOutputOperand
    float const* bias;
};

void launch_group_output(void* stream, GroupOutput const& output);

}  // namespace vitrum::cuda::hopper
