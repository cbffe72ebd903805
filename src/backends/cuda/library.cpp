// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "backend.h"
#include "backends/device_library.h"
#include "base/check.h"
#include "memory.h"
#include "probe.h"

namespace vitrum::cuda {
namespace {

/// "13.0" for 13000, as CUDA counts.
std::string version_text(int version) {
    return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

/// 0: there is no driver.
int driver_version() {
    int version = 0;
    return cudaDriverGetVersion(&version) == cudaSuccess ? version : 0;
}

int device_count() {
    int const driver = driver_version();
    if (driver == 0) fail("no NVIDIA driver (libcuda.so.1) is installed; install one, or use --device cpu");
    int count = 0;
    cudaError_t const result = cudaGetDeviceCount(&count);
    static_cast<void>(cudaGetLastError());
    if (result == cudaErrorInsufficientDriver) {
        fail("the NVIDIA driver is too old: it is for CUDA {}, and this build needs {}; update it, or use --device cpu",
             version_text(driver), version_text(CUDART_VERSION));
    }
    if (result == cudaErrorNoDevice || (result == cudaSuccess && count == 0)) {
        fail("the NVIDIA driver finds no GPU; use --device cpu");
    }
    check(result, "looking for GPUs");
    return count;
}

cudaDeviceProp properties_of(int device) {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, device), "asking for a GPU's properties");
    return properties;
}

std::string name_of(cudaDeviceProp const& properties) {
    return fmt::format("{}, compute capability {}.{}", properties.name, properties.major, properties.minor);
}

/// Makes the driver's context on the GPU, which takes some hundred MiB there.
void start(int device, cudaDeviceProp const& properties) {
    int before = device;
    static_cast<void>(cudaGetDevice(&before));
    cudaError_t result = cudaSetDevice(device);
    if (result == cudaSuccess) result = cudaFree(nullptr);
    static_cast<void>(cudaGetLastError());
    if (result == cudaErrorMemoryAllocation) {
        fail_as(ErrorKind::out_of_memory, "GPU {} ({}) has no memory left; end what else uses it (see nvidia-smi)",
                device, properties.name);
    }
    check(result, "starting on the GPU");
    if (cudaError_t const code = probe_code(); code != cudaSuccess) {
        fail("GPU {} ({}): this build has no code for it ({}); use --device cpu", device, name_of(properties),
             cudaGetErrorName(code));
    }
    OnDevice::leave(before);
}

std::string memory_text(int device) {
    std::size_t free = 0;
    std::size_t total = 0;
    if (cudaSetDevice(device) != cudaSuccess || cudaMemGetInfo(&free, &total) != cudaSuccess) {
        static_cast<void>(cudaGetLastError());
        return "no memory left";
    }
    return fmt::format("{:.1f} GiB free of {:.1f} GiB", static_cast<double>(free) / 0x1p30,
                       static_cast<double>(total) / 0x1p30);
}

class Library final : public DeviceLibrary {
public:
    [[nodiscard]] std::string versions() const override {
        int const driver = driver_version();
        return fmt::format("CUDA {}, {}", version_text(CUDART_VERSION),
                           driver == 0 ? "no driver" : "driver for CUDA " + version_text(driver));
    }

    [[nodiscard]] std::vector<std::string> devices() const override {
        std::vector<std::string> lines;
        for (int device = 0; device < device_count(); ++device) {
            auto const properties = properties_of(device);
            lines.push_back(fmt::format("{}, {} multiprocessors, {}", name_of(properties),
                                        properties.multiProcessorCount, memory_text(device)));
        }
        return lines;
    }

    [[nodiscard]] std::unique_ptr<Backend> open(int device) const override {
        int const count = device_count();
        if (device < 0 || device >= count) {
            fail_as(ErrorKind::usage, "there is no GPU {}: the driver finds {}, counted from 0", device, count);
        }
        auto const properties = properties_of(device);
        start(device, properties);
        return make_cuda_backend(device, name_of(properties));
    }
};

}  // namespace
}  // namespace vitrum::cuda

extern "C" __attribute__((visibility("default"))) vitrum::DeviceLibrary const* vitrum_cuda_open(
    char const* abi, char const** abi_of_library) {
    static vitrum::cuda::Library const library;
    *abi_of_library = VITRUM_BACKEND_ABI;
    return std::strcmp(abi, VITRUM_BACKEND_ABI) == 0 ? &library : nullptr;
}
