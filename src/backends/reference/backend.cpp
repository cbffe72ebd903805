// SPDX-License-Identifier: Apache-2.0
#include "reference/backend.h"

#include "kernels.h"

namespace vitrum {
namespace {

class ReferenceBackend final : public Backend {
public:
    [[nodiscard]] std::string_view name() const override { return "reference"; }
    [[nodiscard]] std::string isa() const override { return "scalar"; }
    [[nodiscard]] std::int64_t pixel_stride(std::int64_t channels) const override { return channels; }
    [[nodiscard]] Selection select(Op const& op, Problem const& problem, int threads) const override {
        return select_kernel<Reference>(op, problem, threads);
    }
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend() {
    return std::make_unique<ReferenceBackend>();
}

}  // namespace vitrum
