// SPDX-License-Identifier: Apache-2.0
#include "cpu/backend.h"

#include <fmt/format.h>

#include "kernels.h"

namespace vitrum {
namespace {

using cpu::Isa;

constexpr Isa kBestFirst[] = {Isa::simd512, Isa::simd256, Isa::simd128, Isa::portable};

template <Isa kIsa>
class CpuBackend final : public Backend {
public:
    [[nodiscard]] std::string_view name() const override { return "cpu"; }
    [[nodiscard]] std::string isa() const override { return cpu::name_of(kIsa); }

    /// Whole cache lines, but for pictures, which stay as they come.
    [[nodiscard]] std::int64_t pixel_stride(std::int64_t channels) const override {
        return channels <= 4 ? channels : cpu::round_up(channels, 16);
    }

    [[nodiscard]] Selection select(Op const& op, Problem const& problem, int threads) const override {
        return select_kernel<Cpu<kIsa>>(op, problem, threads);
    }
};

std::unique_ptr<Backend> make_for(Isa isa) {
    switch (isa) {
        case Isa::portable: return std::make_unique<CpuBackend<Isa::portable>>();
        case Isa::simd128: return std::make_unique<CpuBackend<Isa::simd128>>();
        case Isa::simd256: return std::make_unique<CpuBackend<Isa::simd256>>();
        case Isa::simd512: return std::make_unique<CpuBackend<Isa::simd512>>();
    }
    return nullptr;
}

}  // namespace

std::vector<std::string> cpu_isas() {
    std::vector<std::string> names;
    for (Isa const isa : kBestFirst) {
        if (cpu::is_usable(isa)) names.push_back(cpu::name_of(isa));
    }
    return names;
}

std::unique_ptr<Backend> make_cpu_backend(CpuOptions const& options) {
    for (Isa const isa : kBestFirst) {
        if (cpu::is_usable(isa) && (options.isa.empty() || options.isa == cpu::name_of(isa))) return make_for(isa);
    }
    fail("this machine does not run the instruction set '{}'; it runs {}", options.isa, fmt::join(cpu_isas(), ", "));
}

}  // namespace vitrum
