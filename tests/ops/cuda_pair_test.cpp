// SPDX-License-Identifier: Apache-2.0
// Kernels that do two operators at once against the reference's two.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "gpu.h"
#include "harness.h"
#include "mlp_cases.h"
#include "prepared_op.h"
#include "window_attention_cases.h"

namespace vitrum::test {
namespace {

/// A Swin layer of 180 channels.
struct LayerCase {
    std::string_view name;
    int n = 1, h = 8, w = 8;
    int shift = 0;
    double stream = 1;  ///< the deviation of x
    double inside = 1;  ///< that of what both halves multiply

    [[nodiscard]] OpCase attention() const {
        return to_case(WindowAttentionCase{
            .name = name, .n = n, .h = h, .w = w, .c = 180, .shift = shift, .stream = stream, .inside = inside});
    }
    [[nodiscard]] OpCase mlp() const {
        return to_case(
            MlpCase{.name = name, .n = n, .h = h, .w = w, .c = 180, .hidden = 360, .stream = stream, .inside = inside});
    }
};

void PrintTo(LayerCase const& c, std::ostream* out) {
    *out << c.name;
}

constexpr auto kLayerCases = std::to_array<LayerCase>({
    {.name = "one_window"},
    {.name = "one_window_shifted", .shift = 4},
    {.name = "some_windows", .h = 16, .w = 40},
    {.name = "batch_shifted", .n = 3, .h = 24, .w = 16, .shift = 4},
    {.name = "several_rounds", .n = 2, .h = 104, .w = 128},
    {.name = "several_rounds_shifted", .h = 136, .w = 264, .shift = 4},
    {.name = "large_stream", .h = 16, .w = 16, .stream = 1e5},
    {.name = "huge", .h = 8, .w = 16, .inside = 1e6},
    {.name = "tiny", .h = 16, .w = 8, .shift = 4, .inside = 1e-6},
});

/// Demands of the pair's result, in memory of its own or in that of x, what the reference gives.
void check(LayerCase const& layer, std::vector<float> const& expected, Precision precision, int in_place) {
    Backend const& backend = *gpu().backend;
    OpCase const attention = layer.attention(), mlp = layer.mlp();
    Values of_mlp = make_values(mlp);
    // What lies between the two is never there.
    for (float& value : of_mlp[Mlp::kX]) value = std::numeric_limits<float>::quiet_NaN();
    ThreadPool threads(1);
    PreparedOp first(backend, attention, make_values(attention), threads, in_place, precision);
    PreparedOp second(backend, mlp, of_mlp, threads, -1, precision);
    Problem of_first = attention.problem(), of_second = mlp.problem();
    of_first.precision = of_second.precision = precision;
    PairKernel const pair =
        backend.pair({attention.op, of_first, first.selection()}, {mlp.op, of_second, second.selection()});
    bool const is_hopper = first.selection().kernel == "fused_hopper_fp16";
    ASSERT_EQ(pair.launch != nullptr, is_hopper) << first.selection().kernel;
    if (!is_hopper) return;
    Launch to_first = second.launch();
    to_first.outputs = first.launch().outputs;
    pair.launch(attention.op, first.launch(), mlp.op, to_first);
    EXPECT_TRUE(first.guards_intact());
    double const error = normalised_error(first.output(), expected);
    EXPECT_LE(error, tolerance(attention, precision) + tolerance(mlp, precision));
}

class CudaPair : public testing::TestWithParam<LayerCase> {};

TEST_P(CudaPair, AgreesWithReference) {
    if (gpu().backend == nullptr) GTEST_SKIP() << gpu().why_not;
    OpCase const attention = GetParam().attention(), mlp = GetParam().mlp();
    Values of_mlp = make_values(mlp);
    of_mlp[Mlp::kX] = reference_output(attention, make_values(attention));
    auto const expected = reference_output(mlp, of_mlp);
    for (Precision const precision : {Precision::fp32, Precision::tf32, Precision::fp16, Precision::bf16}) {
        for (int const in_place : {-1, static_cast<int>(WindowAttention::kX)}) {
            SCOPED_TRACE(fmt::format("{}, in place of {}", name_of(precision), in_place));
            check(GetParam(), expected, precision, in_place);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Layers, CudaPair, testing::ValuesIn(kLayerCases),
                         [](auto const& at) { return std::string(at.param.name); });

}  // namespace
}  // namespace vitrum::test
