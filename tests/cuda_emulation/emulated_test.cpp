// SPDX-License-Identifier: Apache-2.0
// The CUDA kernels against the reference, run on the host.
#include <gtest/gtest.h>

#include "cases.h"
#include "choices.h"
#include "harness.h"
#include "kernels.h"

namespace vitrum::test {
namespace {

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

/// What a kernel gives must not depend on where pixels lie nor on how the work is cut.
enum class Setting { padded, packed, cut };

class EmulatedCuda : public testing::TestWithParam<std::tuple<Setting, OpCase>> {
protected:
    void TearDown() override { cuda::chunk_bytes = usual_; }

private:
    std::int64_t usual_ = cuda::chunk_bytes;
};

TEST_P(EmulatedCuda, AgreesWithReference) {
    auto const& [setting, c] = GetParam();
    if (setting == Setting::cut) cuda::chunk_bytes = 20000;
    check_against_reference(EmulatedBackend(setting != Setting::packed), c);
}

/// Only some operators have anything between their steps that has to be cut.
std::vector<OpCase> cases_with_chunks() {
    std::vector<OpCase> cases;
    for (OpCase const& c : all_cases()) {
        bool const has_chunks = std::holds_alternative<WindowAttention>(c.op) || std::holds_alternative<Mlp>(c.op) ||
                                std::holds_alternative<ShiftMlp>(c.op) || std::holds_alternative<ConvMlp>(c.op) ||
                                std::holds_alternative<GroupWindowAttention>(c.op) ||
                                std::holds_alternative<SpectralAttention>(c.op) ||
                                std::holds_alternative<DeformableAttention>(c.op);
        if (has_chunks) cases.push_back(c);
    }
    return cases;
}

/// Workspace of an operator whose inputs have these shapes, in MiB.
template <class K, class O>
double mebibytes(O const& op, std::vector<Shape> inputs) {
    inputs.resize(O::kInputs);
    Problem const problem{inputs, {inputs[0]}, {}};
    return static_cast<double>(K::workspace_bytes(op, problem, 1)) / 0x1p20;
}

TEST(CudaWorkspace, StaysBelow256MiBFor720p) {
    Shape const middle{1, 720, 1280, 180}, spectral{1, 720, 1280, 31};
    EXPECT_LT(mebibytes<cuda::WindowAttentionKernel>(WindowAttention{.heads = 6}, {middle}), 256);
    EXPECT_LT(mebibytes<cuda::MlpKernel>(Mlp{}, {middle, {360, 180}}), 256);
    EXPECT_LT(mebibytes<cuda::ShiftMlpKernel>(ShiftMlp{}, {middle, {360, 180}}), 256);
    EXPECT_LT(mebibytes<cuda::GroupWindowAttentionKernel>(GroupWindowAttention{.shifted = true}, {middle, {360, 180}}),
              256);
    EXPECT_LT(mebibytes<cuda::SpectralAttentionKernel>(SpectralAttention{}, {spectral}), 256);
    EXPECT_LT(mebibytes<cuda::ConvMlpKernel>(ConvMlp{}, {spectral, {124, 31, 1, 1}}), 256);
}

std::string name_of(testing::TestParamInfo<std::tuple<Setting, OpCase>> const& at) {
    return std::get<1>(at.param).name;
}

INSTANTIATE_TEST_SUITE_P(Padded, EmulatedCuda,
                         testing::Combine(testing::Values(Setting::padded), testing::ValuesIn(all_cases())), name_of);
INSTANTIATE_TEST_SUITE_P(Packed, EmulatedCuda,
                         testing::Combine(testing::Values(Setting::packed), testing::ValuesIn(all_cases())), name_of);
INSTANTIATE_TEST_SUITE_P(Cut, EmulatedCuda,
                         testing::Combine(testing::Values(Setting::cut), testing::ValuesIn(cases_with_chunks())),
                         name_of);

}  // namespace
}  // namespace vitrum::test
