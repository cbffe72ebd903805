// SPDX-License-Identifier: Apache-2.0
// The CUDA kernels against the reference, run on the host.
#include <gtest/gtest.h>

#include <cmath>

#include "base/threads.h"
#include "cases.h"
#include "choices.h"
#include "emulated_backend.h"
#include "emulated_hopper.h"
#include "harness.h"
#include "prepared_op.h"

namespace vitrum::test {
namespace {

/// What a kernel gives must not depend on where pixels lie nor on how the work is cut.
enum class Setting { padded, packed, cut };

struct PreciseCase {
    Precision precision;
    OpCase c;
};

void PrintTo(PreciseCase const& at, std::ostream* out) {
    *out << name_of(at.precision) << " " << at.c.name;
}

class EmulatedCuda : public testing::TestWithParam<std::tuple<Setting, PreciseCase>> {
protected:
    void TearDown() override { cuda::chunk_bytes = usual_; }

private:
    std::int64_t usual_ = cuda::chunk_bytes;
};

TEST_P(EmulatedCuda, AgreesWithReference) {
    auto const& [setting, at] = GetParam();
    if (setting == Setting::cut) cuda::chunk_bytes = 20000;
    EmulatedBackend const backend(setting != Setting::packed);
    check_against_reference({{backend, at.precision}}, at.c);
}

TEST_P(EmulatedCuda, LosesNoNumberSilently) {
    auto const& [setting, at] = GetParam();
    std::int64_t values = 0;
    for (CaseInput const& input : at.c.inputs) values += input.present() ? input.shape.count() : 0;
    if (values > 40000 || setting != Setting::padded) GTEST_SKIP() << "each operator has cases of less work";
    EmulatedBackend const backend(true);
    check_lost_numbers_show({{backend, at.precision}}, at.c);
}

/// Each case in every precision for which it has a kernel of its own.
std::vector<PreciseCase> cases_in_every_precision(std::vector<OpCase> const& from) {
    std::vector<PreciseCase> cases;
    for (OpCase const& c : from) {
        if (c.name.find("many_tiles") != std::string::npos) continue;  // hours here; they are about Hopper's kernels
        std::string_view last;
        for (auto const precision : {Precision::fp32, Precision::tf32, Precision::fp16, Precision::bf16}) {
            Problem problem = c.problem();
            problem.precision = precision;
            auto const kernel = select_kernel<Cuda>(c.op, problem, 1).kernel;
            if (kernel != last) cases.push_back({precision, c});
            last = kernel;
        }
    }
    return cases;
}

/// The kernel that the case named so gets.
template <class O>
std::string_view kernel_for(std::string const& name, Precision precision) {
    for (OpCase const& c : all_cases()) {
        if (c.name != fmt::format("{}_{}", O::kName, name)) continue;
        Problem problem = c.problem();
        problem.precision = precision;
        return EmulatedBackend(true).select(c.op, problem, 1).kernel;
    }
    return "no such case";
}

TEST(CudaSelection, HalfBlocksOfSwinAreFused) {
    for (char const* const name : {"light_shifted", "middle_shifted", "jpeg_shifted", "heads3_dim32"}) {
        EXPECT_EQ(kernel_for<WindowAttention>(name, Precision::fp16), "fused_window_fp16") << name;
        EXPECT_EQ(kernel_for<WindowAttention>(name, Precision::bf16), "fused_window_fp16") << name;
    }
    for (char const* const name : {"light", "middle", "swin_tiny"}) {
        EXPECT_EQ(kernel_for<Mlp>(name, Precision::fp16), "fused_mlp_fp16") << name;
        EXPECT_EQ(kernel_for<Mlp>(name, Precision::bf16), "fused_mlp_fp16") << name;
    }
}

TEST(CudaSelection, WhatIsNotNormalisedStaysOutOfFloat16) {
    for (Precision const precision : {Precision::fp16, Precision::bf16, Precision::tf32}) {
        EXPECT_EQ(kernel_for<WindowAttention>("no_norm", precision), "fused_window_tf32");
        EXPECT_EQ(kernel_for<Mlp>("no_norm", precision), "fused_mlp_tf32");
    }
}

TEST(CudaSelection, ConvolutionsOfMstAreNarrow) {
    for (Precision const precision : {Precision::tf32, Precision::fp16, Precision::bf16}) {
        for (char const* const name : {"c31_two_blocks", "k4_stride2", "k4_stride2_chunks"}) {
            EXPECT_EQ(kernel_for<Conv2d>(name, precision), "narrow_patches_fp16") << name;
        }
    }
}

TEST(CudaSelection, ColoursHaveConvolutionsOfTheirOwn) {
    for (Precision const precision : {Precision::fp32, Precision::tf32, Precision::fp16, Precision::bf16}) {
        EXPECT_EQ(kernel_for<Conv2d>("rgb_head_tiles", precision), "from_colours_fp32");
        if (precision == Precision::fp32) continue;
        EXPECT_EQ(kernel_for<Conv2d>("rgb_tail_residual", precision), "to_colours_fp16");
    }
}

TEST(CudaSelection, FiltersOfMstAreFloat16InFp16Alone) {
    EXPECT_EQ(kernel_for<SpectralAttention>("mst_31", Precision::fp16), "fused_tf32_fp16");
    EXPECT_EQ(kernel_for<SpectralAttention>("mst_31", Precision::tf32), "fused_tf32");
    EXPECT_EQ(kernel_for<SpectralAttention>("mst_31", Precision::fp32), "fused_3xtf32");
    EXPECT_EQ(kernel_for<ConvMlp>("mst_31", Precision::fp16), "fused_fp16");
    EXPECT_EQ(kernel_for<ConvMlp>("mst_31", Precision::tf32), "fused_tf32");
}

/// The trained ELAN-light enlarges rounding errors.
TEST(CudaSelection, OperandsOfElanLightHaveTwoParts) {
    EXPECT_EQ(kernel_for<ShiftMlp>("light", Precision::fp32), "tiles_3xfp16");
    EXPECT_EQ(kernel_for<GroupWindowAttention>("light_shared", Precision::fp32), "regions_3xfp16");
    EXPECT_EQ(kernel_for<GroupWindowAttention>("light_shared", Precision::tf32), "region_rows_3xfp16");
    EXPECT_EQ(kernel_for<GroupWindowAttention>("light_shared", Precision::fp16), "region_rows_fp16");
    for (Precision const precision : {Precision::tf32, Precision::fp16, Precision::bf16}) {
        EXPECT_EQ(kernel_for<ShiftMlp>("light", precision), "tiles_3xbf16");
        EXPECT_EQ(kernel_for<Conv2d>("k1_c60", precision), "pixels_3xbf16");
    }
    EXPECT_EQ(kernel_for<ShiftMlp>("full", Precision::fp16), "sections_fp16");
    EXPECT_EQ(kernel_for<GroupWindowAttention>("full", Precision::fp16), "wide_regions_fp16");
}

TEST(CudaSelection, HopperHasKernelsOfElan) {
    emulates_hopper = true;
    for (char const* const name : {"light", "full", "large_stream"}) {
        EXPECT_EQ(kernel_for<ShiftMlp>(name, Precision::fp16), "fused_hopper") << name;
        EXPECT_EQ(kernel_for<ShiftMlp>(name, Precision::tf32), "fused_hopper") << name;
        EXPECT_NE(kernel_for<ShiftMlp>(name, Precision::fp32), "fused_hopper") << name;
    }
    EXPECT_EQ(kernel_for<Conv2d>("k1_c60", Precision::tf32), "pixels_hopper_3xbf16");
    EXPECT_EQ(kernel_for<GroupWindowAttention>("light_shared", Precision::fp16), "regions_hopper_fp16");
    // A probability is one float16 there.
    EXPECT_EQ(kernel_for<GroupWindowAttention>("light_shared", Precision::tf32), "region_rows_3xfp16");
    EXPECT_EQ(kernel_for<GroupWindowAttention>("full_shifted", Precision::tf32), "wide_regions_hopper_fp16");
    emulates_hopper = false;
}

/// Scaled rows need no norm, and are as exact as TF32.
TEST(CudaSelection, OperatorsOfMask2FormerMultiplyScaledRows) {
    for (Precision const precision : {Precision::fp16, Precision::bf16, Precision::tf32}) {
        EXPECT_EQ(kernel_for<Conv2d>("k1_c256", precision), "scaled_rows_fp16");
        EXPECT_EQ(kernel_for<Mlp>("relu_c256", precision), "scaled_rows_fp16");
        EXPECT_EQ(kernel_for<WindowAttention>("swin_third_shifted", precision), "scaled_rows_fp16");
        EXPECT_EQ(kernel_for<DeformableAttention>("swin_tiny", precision), "fused_tiles_fp16");
    }
    EXPECT_EQ(kernel_for<Conv2d>("k1_c256", Precision::fp32), "implicit_gemm_fp32");
}

/// What is done for each query is little, and decides what is attended to.
TEST(CudaSelection, ProductsOfQueriesAreAsExactAsFloat32) {
    for (Precision const precision : {Precision::fp32, Precision::tf32, Precision::fp16, Precision::bf16}) {
        EXPECT_EQ(kernel_for<Conv2d>("k1_queries", precision), "few_rows_3xtf32");
        EXPECT_EQ(kernel_for<Mlp>("queries_relu", precision), "few_rows_3xtf32");
    }
    EXPECT_EQ(kernel_for<QueryAttention>("levels_of_swin_tiny", Precision::fp32), "split_key_tiles_fp32");
    EXPECT_EQ(kernel_for<QueryAttention>("levels_of_swin_tiny", Precision::fp16), "split_key_tiles_tf32");
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
    EXPECT_LT(mebibytes<cuda::WindowAttentionKernel<Precision::tf32>>(WindowAttention{.heads = 6}, {middle}), 256);
    EXPECT_LT(mebibytes<cuda::MlpKernel<Precision::tf32>>(Mlp{}, {middle, {360, 180}}), 256);
    EXPECT_LT(mebibytes<cuda::ShiftMlpKernel<Precision::tf32>>(ShiftMlp{}, {middle, {360, 180}}), 256);
    EXPECT_LT(mebibytes<cuda::GroupWindowAttentionKernel<Precision::tf32>>(GroupWindowAttention{.shifted = true},
                                                                           {middle, {360, 180}}),
              256);
    EXPECT_LT(mebibytes<cuda::SpectralAttentionKernel<Precision::tf32>>(SpectralAttention{}, {spectral}), 256);
    EXPECT_LT(mebibytes<cuda::ConvMlpKernel<Precision::tf32>>(ConvMlp{}, {spectral, {124, 31, 1, 1}}), 256);
}

/// One pixel of x is NaN, and what reads it has to be: else a picture that lost its numbers would look healthy.
TEST(EmulatedCudaValues, NaNPassesWhereTheLargerOfTwoIsTaken) {
    ThreadPool threads(1);
    for (OpCase const& c : all_cases()) {
        if (c.name != "MaxPool2d_stride1" && c.name != "ShiftMlp_three_by_five" && c.name != "ShiftMlp_full") continue;
        Shape const& x = c.inputs[0].shape;
        Values values = make_values(c);
        std::int64_t const pixel = x[1] / 2 * x[2] + x[2] / 2;
        std::fill_n(values[0].begin() + pixel * x[3], x[3], NAN);
        for (auto const precision : {Precision::fp32, Precision::tf32, Precision::fp16}) {
            PreparedOp op(EmulatedBackend(true), c, values, threads, -1, precision);
            op.run();
            auto const nans = std::ranges::count_if(op.output(), [](float v) { return std::isnan(v); });
            EXPECT_GT(nans, x[3]) << c.name << " in " << name_of(precision);
        }
    }
}

/// On a device that has Hopper's kernels.
class EmulatedHopper : public testing::TestWithParam<PreciseCase> {
protected:
    void SetUp() override { emulates_hopper = true; }
    void TearDown() override { emulates_hopper = false; }
};

TEST_P(EmulatedHopper, AgreesWithReference) {
    auto const& [precision, c] = GetParam();
    EmulatedBackend const padded(true), packed(false);
    check_against_reference({{padded, precision}, {packed, precision}}, c);
}

/// Those of Hopper's kernels that can be run here.
std::vector<PreciseCase> cases_for_hopper() {
    std::vector<PreciseCase> cases;
    emulates_hopper = true;
    for (OpCase const& c : all_cases()) {
        bool const is_shift_mlp = std::holds_alternative<ShiftMlp>(c.op);
        if (is_shift_mlp && c.name.find("many_tiles") != std::string::npos) continue;  // for 132 multiprocessors
        for (auto const precision : {Precision::tf32, Precision::fp16}) {
            Problem problem = c.problem();
            problem.precision = precision;
            auto const kernel = select_kernel<Cuda>(c.op, problem, 1).kernel;
            bool const is_elan = is_shift_mlp || kernel == cuda::HopperPixelConvKernel::kName ||
                                 std::holds_alternative<GroupWindowAttention>(c.op);
            if (is_elan && kernel.find("hopper") != std::string_view::npos) cases.push_back({precision, c});
        }
    }
    emulates_hopper = false;
    return cases;
}

INSTANTIATE_TEST_SUITE_P(All, EmulatedHopper, testing::ValuesIn(cases_for_hopper()), [](auto const& at) {
    return fmt::format("{}_{}", name_of(at.param.precision), at.param.c.name);
});

std::string name_of_case(testing::TestParamInfo<std::tuple<Setting, PreciseCase>> const& at) {
    auto const& [precision, c] = std::get<1>(at.param);
    return fmt::format("{}_{}", name_of(precision), c.name);
}

INSTANTIATE_TEST_SUITE_P(Padded, EmulatedCuda,
                         testing::Combine(testing::Values(Setting::padded),
                                          testing::ValuesIn(cases_in_every_precision(all_cases()))),
                         name_of_case);
INSTANTIATE_TEST_SUITE_P(Packed, EmulatedCuda,
                         testing::Combine(testing::Values(Setting::packed),
                                          testing::ValuesIn(cases_in_every_precision(all_cases()))),
                         name_of_case);
INSTANTIATE_TEST_SUITE_P(Cut, EmulatedCuda,
                         testing::Combine(testing::Values(Setting::cut),
                                          testing::ValuesIn(cases_in_every_precision(cases_with_chunks()))),
                         name_of_case);

}  // namespace
}  // namespace vitrum::test
