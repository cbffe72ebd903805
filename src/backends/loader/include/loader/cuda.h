// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "backends/backend.h"

namespace vitrum {

// The CUDA backend is a shared library of its own, libvitrum_cuda.so, which lies beside libvitrum.so and is opened when
// it is first asked for: one build of vitrum runs with and without it, with and without a driver.

/// The backend for one GPU. Throws Error: no library, one of another version, no driver or one that is too old, no such
/// GPU (usage), a GPU that the library has no code for, GPU memory that others have taken (out_of_memory).
[[nodiscard]] std::unique_ptr<Backend> open_cuda_backend(int device);

/// What can be used, for people: versions, and a line on each GPU.
struct CudaFacts {
    std::string library;  ///< its versions, or why it cannot be used
    std::vector<std::string> devices;
};
[[nodiscard]] CudaFacts cuda_facts();

/// The same for a library elsewhere. Throws Error where it cannot be opened.
[[nodiscard]] class DeviceLibrary const& open_device_library(std::filesystem::path const& path);

}  // namespace vitrum
