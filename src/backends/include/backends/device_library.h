// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backends/backend.h"

namespace vitrum {

/// What the shared library of a device backend offers, so that one build of vitrum runs with and without a GPU.
class DeviceLibrary {
public:
    virtual ~DeviceLibrary() = default;
    /// What it was built with and what runs it: "CUDA 13.0, driver for CUDA 13.1".
    [[nodiscard]] virtual std::string versions() const = 0;
    /// A line on each device: name, compute capability, memory. Throws Error: no driver, a driver too old, no GPU.
    [[nodiscard]] virtual std::vector<std::string> devices() const = 0;
    /// Throws Error: the same, no such device (usage), one that this build has no code for, memory taken by others.
    [[nodiscard]] virtual std::unique_ptr<Backend> open(int device) const = 0;
};

/// The library's one entry point. Both sides must have been built from the same contract, which `abi` stands for (a
/// digest of its headers, compiler and standard library); otherwise the answer is null, and `abi_of_library` says what
/// the library was built from. Everything else is C++.
using OpenDeviceLibrary = DeviceLibrary const* (*)(char const* abi, char const** abi_of_library);

}  // namespace vitrum
