// SPDX-License-Identifier: Apache-2.0
// The emulated device lacks Hopper's instructions, so that its kernels decline; here are what they are linked with.
#include "hopper/device.h"
#include "kernels.h"

namespace vitrum::cuda {

namespace hopper {

Support device_support() {
    return {false, "emulated on the host"};
}
int multiprocessors() {
    return 1;
}

}  // namespace hopper

void HopperWindowAttentionKernel::launch(Op const&, Launch const&) {
    VITRUM_ASSERT(false);
}
void HopperConvKernel::launch(Conv2d const&, Launch const&) {
    VITRUM_ASSERT(false);
}
void HopperMlpKernel::launch(Mlp const&, Launch const&) {
    VITRUM_ASSERT(false);
}

std::size_t HopperRowMlpKernel::workspace_bytes(Mlp const&, Problem const&, int) {
    return 0;
}
void HopperRowMlpKernel::launch(Mlp const&, Launch const&) {
    VITRUM_ASSERT(false);
}
std::size_t HopperRowWindowKernel::workspace_bytes(Op const&, Problem const&, int) {
    return 0;
}
void HopperRowWindowKernel::launch(Op const&, Launch const&) {
    VITRUM_ASSERT(false);
}
std::size_t HopperRowConvKernel::workspace_bytes(Conv2d const&, Problem const&, int) {
    return 0;
}
void HopperRowConvKernel::launch(Conv2d const&, Launch const&) {
    VITRUM_ASSERT(false);
}

}  // namespace vitrum::cuda
