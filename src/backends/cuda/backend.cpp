// SPDX-License-Identifier: Apache-2.0
#include "backend.h"

#include <utility>

#include "kernels.h"
#include "memory.h"

namespace vitrum::cuda {
namespace {

class CudaBackend final : public Backend {
public:
    CudaBackend(int device, std::string isa) : memory_(device), isa_(std::move(isa)) {}

    [[nodiscard]] std::string_view name() const override { return "cuda"; }
    [[nodiscard]] std::string isa() const override { return isa_; }

    /// Whole sectors of 32 bytes, the unit in which the memory delivers; pictures stay as they come.
    [[nodiscard]] std::int64_t pixel_stride(std::int64_t channels) const override {
        return channels <= 4 ? channels : (channels + 7) / 8 * 8;
    }

    [[nodiscard]] Selection select(Op const& op, Problem const& problem, int threads) const override {
        OnDevice const here(memory_.device());  // kernels ask the thread's current device what it has
        return select_kernel<Cuda>(op, problem, threads);
    }

    [[nodiscard]] ChainKernel chain(std::span<Chosen const> steps) const override {
        OnDevice const here(memory_.device());
        std::size_t const served = HopperSwinLayersKernel::steps(steps);
        if (served == 0) return {};
        return {HopperSwinLayersKernel::kName, served, HopperSwinLayersKernel::launch};
    }

    [[nodiscard]] Memory* memory() const override { return &memory_; }

private:
    mutable DeviceMemory memory_;
    std::string isa_;
};

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(int device, std::string isa) {
    return std::make_unique<CudaBackend>(device, std::move(isa));
}

}  // namespace vitrum::cuda
