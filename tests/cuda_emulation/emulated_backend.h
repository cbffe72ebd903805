// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/backend.h"
#include "choices.h"
#include "kernels.h"

namespace vitrum::test {

/// The CUDA backend's kernels on the host's memory.
class EmulatedBackend final : public Backend {
public:
    explicit EmulatedBackend(bool is_padded) : is_padded_(is_padded) {}
    [[nodiscard]] std::string_view name() const override { return "cuda"; }
    [[nodiscard]] std::string isa() const override { return "emulated"; }
    [[nodiscard]] std::int64_t pixel_stride(std::int64_t channels) const override {
        return is_padded_ ? cuda::padded_channels(channels) : channels;
    }
    [[nodiscard]] Selection select(Op const& op, Problem const& problem, int threads) const override {
        return select_kernel<Cuda>(op, problem, threads);
    }

private:
    bool is_padded_;
};

}  // namespace vitrum::test
