// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include "backends/memory.h"

namespace vitrum::cuda {

/// What an answer of CUDA is to a caller: memory that the device refuses is ErrorKind::out_of_memory.
[[nodiscard]] ErrorKind kind_of(cudaError_t result);

/// Throws Error for what a CUDA call answered; memory that the device refuses is ErrorKind::out_of_memory.
void check(cudaError_t result, char const* doing);

/// Makes a GPU the calling thread's current one, and at the end of the scope the one that was.
class OnDevice {
public:
    explicit OnDevice(int device) : before_(enter(device)) {}
    ~OnDevice() { leave(before_); }
    OnDevice(OnDevice const&) = delete;
    OnDevice& operator=(OnDevice const&) = delete;

    /// The two halves. Where no part of the process uses the GPU that was, as at first, the thread stays: going back
    /// would take memory there.
    [[nodiscard]] static int enter(int device);
    static void leave(int before);

private:
    int before_;
};

/// The memory of one GPU, by its index.
class DeviceMemory final : public Memory {
public:
    explicit DeviceMemory(int device) : device_(device) {}

    [[nodiscard]] bool is_host() const override { return false; }
    [[nodiscard]] Block allocate(std::size_t bytes) override;
    [[nodiscard]] Block allocate_staging(std::size_t bytes) override;
    void upload(std::byte* to, std::byte const* from, std::size_t bytes) override;
    [[nodiscard]] std::uint64_t free_bytes() const override;
    [[nodiscard]] std::unique_ptr<Queue> make_queue() override;

    [[nodiscard]] int device() const { return device_; }

private:
    int device_;
};

[[nodiscard]] std::unique_ptr<Queue> make_stream(int device);

}  // namespace vitrum::cuda
