// SPDX-License-Identifier: Apache-2.0
// The emulated device declines Hopper's kernels but where a test asks for those that are emulated; here is what the
// others are linked with.
#include "emulated_hopper.h"
#include "hopper/device.h"
#include "kernels.h"

namespace vitrum {

bool test::emulates_hopper = false;

namespace cuda {

namespace hopper {

Support device_support() {
    if (test::emulates_hopper) return {};
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
std::size_t HopperPatchMergingKernel::workspace_bytes(Op const&, Problem const&, int) {
    return 0;
}
void HopperPatchMergingKernel::launch(Op const&, Launch const&) {
    VITRUM_ASSERT(false);
}

}  // namespace cuda
}  // namespace vitrum
