// SPDX-License-Identifier: Apache-2.0

/// The entry point of a CUDA library that was built from something else.
extern "C" __attribute__((visibility("default"))) void const* vitrum_cuda_open(char const*, char const** own) {
    *own = "0.0.1-stranger";
    return nullptr;
}
