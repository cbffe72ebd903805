// SPDX-License-Identifier: Apache-2.0
#include "memory.h"

#include "base/check.h"

namespace vitrum::cuda {

ErrorKind kind_of(cudaError_t result) {
    return result == cudaErrorMemoryAllocation ? ErrorKind::out_of_memory : ErrorKind::failed;
}

void check(cudaError_t result, char const* doing) {
    if (result == cudaSuccess) return;
    static_cast<void>(cudaGetLastError());  // else the next call, which may be fine, would report it once more
    fail_as(kind_of(result), "CUDA, {}: {} ({})", doing, cudaGetErrorString(result), cudaGetErrorName(result));
}

namespace {

/// Whether some part of this process has a context there.
bool is_in_use(int device) {
    using State = int (*)(int device, unsigned* flags, int* active);  // cuDevicePrimaryCtxGetState
    static auto const state = [] {
        void* found = nullptr;
        cudaDriverEntryPointQueryResult how{};
        constexpr unsigned kSince = 12000;
        bool const is = cudaGetDriverEntryPointByVersion("cuDevicePrimaryCtxGetState", &found, kSince,
                                                         cudaEnableDefault, &how) == cudaSuccess;
        return is && how == cudaDriverEntryPointSuccess ? reinterpret_cast<State>(found) : nullptr;
    }();
    unsigned flags = 0;
    int active = 0;
    return state != nullptr && state(device, &flags, &active) == 0 && active != 0;
}

}  // namespace

int OnDevice::enter(int device) {
    int before = device;
    check(cudaGetDevice(&before), "asking for the current GPU");
    check(cudaSetDevice(device), "choosing the GPU");
    return before;
}

void OnDevice::leave(int before) {
    int now = before;
    if (cudaGetDevice(&now) == cudaSuccess && now != before && is_in_use(before)) {
        static_cast<void>(cudaSetDevice(before));
    }
}

Block DeviceMemory::allocate(std::size_t bytes) {
    if (bytes == 0) return {};
    OnDevice const here(device_);
    void* data = nullptr;
    cudaError_t const result = cudaMalloc(&data, bytes);
    if (result == cudaErrorMemoryAllocation) {
        static_cast<void>(cudaGetLastError());
        fail_as(ErrorKind::out_of_memory,
                "cannot allocate {:.1f} MiB on GPU {}, where {:.1f} MiB are free; use smaller tiles (--tile or "
                "--memory), or end what else uses the GPU",
                static_cast<double>(bytes) / 0x1p20, device_, static_cast<double>(free_bytes()) / 0x1p20);
    }
    check(result, "allocating memory");
    auto const release = [device = device_](std::byte* block) {
        int before = device;
        static_cast<void>(cudaGetDevice(&before));
        if (cudaSetDevice(device) == cudaSuccess) static_cast<void>(cudaFree(block));
        OnDevice::leave(before);
    };
    return {std::shared_ptr<std::byte>(static_cast<std::byte*>(data), release), bytes};
}

Block DeviceMemory::allocate_staging(std::size_t bytes) {
    if (bytes == 0) return {};
    OnDevice const here(device_);
    void* data = nullptr;
    cudaError_t const result = cudaHostAlloc(&data, bytes, cudaHostAllocDefault);
    if (result == cudaErrorMemoryAllocation) {
        static_cast<void>(cudaGetLastError());
        fail_as(
            ErrorKind::out_of_memory,
            "cannot pin {:.1f} MiB of the host's memory for copies to GPU {}; use smaller tiles (--tile), or free some",
            static_cast<double>(bytes) / 0x1p20, device_);
    }
    check(result, "allocating memory of the host for copies");
    auto const release = [](std::byte* block) { static_cast<void>(cudaFreeHost(block)); };
    return {std::shared_ptr<std::byte>(static_cast<std::byte*>(data), release), bytes};
}

void DeviceMemory::upload(std::byte* to, std::byte const* from, std::size_t bytes) {
    OnDevice const here(device_);
    check(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice), "copying weights to the GPU");
    // From memory that is not pinned the call may return while the device still copies from a buffer of the driver,
    // and sessions' streams do not wait for the default one.
    check(cudaStreamSynchronize(cudaStreamLegacy), "copying weights to the GPU");
}

std::uint64_t DeviceMemory::free_bytes() const {
    OnDevice const here(device_);
    std::size_t free = 0;
    std::size_t total = 0;
    check(cudaMemGetInfo(&free, &total), "asking for free memory");
    return free;
}

std::unique_ptr<Queue> DeviceMemory::make_queue() {
    return make_stream(device_);
}

}  // namespace vitrum::cuda
