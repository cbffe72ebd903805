// SPDX-License-Identifier: Apache-2.0
// Kernels that do several operators at once against the reference's, one after the other.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>

#include "gpu.h"
#include "harness.h"
#include "mlp_cases.h"
#include "prepared_op.h"
#include "window_attention_cases.h"

namespace vitrum::test {
namespace {

/// Swin layers of 180 channels, every other one shifted.
struct ChainCase {
    std::string_view name;
    int layers = 1;
    int n = 1, h = 8, w = 8;
    bool starts_shifted = false, has_shifts = true;
    double stream = 1;  ///< the deviation of x
    double inside = 1;  ///< that of what both halves multiply

    /// Each layer has its own name, and so its own weights.
    [[nodiscard]] OpCase attention(int layer) const {
        bool const is_shifted = has_shifts && (layer % 2 == 1) != starts_shifted;
        OpCase made = to_case(WindowAttentionCase{.name = name,
                                                  .n = n,
                                                  .h = h,
                                                  .w = w,
                                                  .c = 180,
                                                  .shift = is_shifted ? 4 : 0,
                                                  .stream = stream,
                                                  .inside = inside});
        made.name += fmt::format("_layer{}", layer);
        return made;
    }
    [[nodiscard]] OpCase mlp(int layer) const {
        OpCase made = to_case(
            MlpCase{.name = name, .n = n, .h = h, .w = w, .c = 180, .hidden = 360, .stream = stream, .inside = inside});
        made.name += fmt::format("_layer{}", layer);
        return made;
    }
    /// The steps: an attention, its Mlp, and so on.
    [[nodiscard]] std::vector<OpCase> steps() const {
        std::vector<OpCase> all;
        for (int layer = 0; layer < layers; ++layer) {
            all.push_back(attention(layer));
            all.push_back(mlp(layer));
        }
        return all;
    }
};

void PrintTo(ChainCase const& c, std::ostream* out) {
    *out << c.name;
}

constexpr auto kChainCases = std::to_array<ChainCase>({
    {.name = "one_window"},
    {.name = "one_window_shifted", .starts_shifted = true},
    {.name = "some_windows", .h = 16, .w = 40},
    {.name = "batch_shifted", .n = 3, .h = 24, .w = 16, .starts_shifted = true},
    {.name = "several_rounds", .n = 2, .h = 104, .w = 128},
    {.name = "several_rounds_shifted", .h = 136, .w = 264, .starts_shifted = true},
    {.name = "large_stream", .h = 16, .w = 16, .stream = 1e5},
    {.name = "huge", .h = 8, .w = 16, .inside = 1e6},
    {.name = "tiny", .h = 16, .w = 8, .starts_shifted = true, .inside = 1e-6},
    // Several layers, whose windows wait for each other.
    {.name = "two_layers_one_window", .layers = 2},
    {.name = "three_layers_one_window", .layers = 3, .starts_shifted = true},
    {.name = "eight_layers_few_windows", .layers = 8, .h = 16, .w = 24},
    {.name = "seven_layers_batch", .layers = 7, .n = 3, .h = 24, .w = 16, .starts_shifted = true},
    {.name = "four_layers_one_row", .layers = 4, .h = 8, .w = 248},
    {.name = "four_layers_one_column", .layers = 4, .h = 248, .w = 8, .starts_shifted = true},
    {.name = "three_layers_unshifted", .layers = 3, .h = 40, .w = 24, .has_shifts = false},
    {.name = "five_layers_odd", .layers = 5, .h = 56, .w = 72},
    {.name = "two_layers_huge", .layers = 2, .h = 16, .w = 16, .inside = 1e4},
});

/// The steps made ready, each of which reads and writes where the first one's output lies.
struct Prepared {
    ThreadPool threads{1};
    std::vector<OpCase> cases;
    std::vector<std::unique_ptr<PreparedOp>> ops;
    std::vector<std::vector<TensorView>> inputs;
    std::vector<Launch> launches;

    Prepared(ChainCase const& chain, Precision precision, int in_place) : cases(chain.steps()) {
        for (std::size_t i = 0; i < cases.size(); ++i) {
            Values values = make_values(cases[i]);
            // What lies between two is never there.
            if (i > 0) std::ranges::fill(values[0], std::numeric_limits<float>::quiet_NaN());
            ops.push_back(std::make_unique<PreparedOp>(*gpu().backend, cases[i], values, threads,
                                                       i == 0 ? in_place : -1, precision));
        }
        inputs.reserve(ops.size());
        for (auto const& op : ops) {
            Launch& launch = launches.emplace_back(op->launch());
            launch.stream = ops.front()->launch().stream;
            if (launches.size() == 1) continue;
            TensorView const& own = op->launch().inputs.front();
            auto& views = inputs.emplace_back(launch.inputs.begin(), launch.inputs.end());
            for (TensorView& view : views) {
                if (view.data == own.data) view = launches.front().outputs.front();
            }
            launch.inputs = views;
            launch.outputs = launches.front().outputs;
        }
    }
    [[nodiscard]] ChainKernel kernel(Precision precision) const {
        std::vector<Problem> problems;
        for (OpCase const& step : cases) problems.push_back(step.problem());
        std::vector<Chosen> chosen;
        for (std::size_t i = 0; i < cases.size(); ++i) {
            problems[i].precision = precision;
            chosen.push_back({cases[i].op, problems[i], ops[i]->selection()});
        }
        return gpu().backend->chain(chosen);
    }
    [[nodiscard]] std::vector<OpLaunch> steps() const {
        std::vector<OpLaunch> all;
        for (std::size_t i = 0; i < cases.size(); ++i) all.push_back({&cases[i].op, &launches[i]});
        return all;
    }
};

/// Demands of the kernel's result, in memory of its own or in that of x, what the reference gives.
void check(ChainCase const& chain, std::vector<float> const& expected, Precision precision, int in_place) {
    Prepared const prepared(chain, precision, in_place);
    ChainKernel const kernel = prepared.kernel(precision);
    bool const is_hopper = prepared.ops.front()->selection().kernel == "fused_hopper_fp16";
    // Of few windows a backend may want fewer steps in a kernel, which does as many as it is given all the same.
    ASSERT_EQ(kernel.steps >= 2, is_hopper) << prepared.ops.front()->selection().kernel;
    if (!is_hopper) return;
    kernel.launch(prepared.steps());
    EXPECT_TRUE(prepared.ops.front()->guards_intact());
    std::vector<float> const given = prepared.ops.front()->output();
    double allowed = 0;
    for (OpCase const& step : prepared.cases) allowed += tolerance(step, precision);
    EXPECT_LE(normalised_error(given, expected), allowed);
    if (in_place >= 0) return;
    // The same workspace once more, with the last run's words in it, several times behind each other.
    for (int run = 0; run < 3; ++run) kernel.launch(prepared.steps());
    EXPECT_EQ(prepared.ops.front()->output(), given);
}

std::vector<float> reference_of(ChainCase const& chain) {
    std::vector<float> x;
    for (OpCase const& step : chain.steps()) {
        Values values = make_values(step);
        if (!x.empty()) {
            for (std::size_t i = 0; i < values.size(); ++i) {
                if (i == 0 || step.inputs[i].same_as == 0) values[i] = x;
            }
        }
        x = reference_output(step, values);
    }
    return x;
}

class CudaChain : public testing::TestWithParam<ChainCase> {};

TEST_P(CudaChain, AgreesWithReference) {
    if (gpu().backend == nullptr) GTEST_SKIP() << gpu().why_not;
    auto const expected = reference_of(GetParam());
    for (Precision const precision : {Precision::fp32, Precision::tf32, Precision::fp16, Precision::bf16}) {
        for (int const in_place : {-1, static_cast<int>(WindowAttention::kX)}) {
            SCOPED_TRACE(fmt::format("{}, in place of {}", name_of(precision), in_place));
            check(GetParam(), expected, precision, in_place);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Layers, CudaChain, testing::ValuesIn(kChainCases),
                         [](auto const& at) { return std::string(at.param.name); });

/// So many windows that the layers go through several bands of them.
TEST(CudaChains, GiveWhatTheirLayersGiveAlone) {
    if (gpu().backend == nullptr) GTEST_SKIP() << gpu().why_not;
    constexpr ChainCase kMany{.name = "several_bands", .layers = 3, .n = 2, .h = 200, .w = 272};
    Prepared const prepared(kMany, Precision::fp16, -1);
    ChainKernel const kernel = prepared.kernel(Precision::fp16);
    if (kernel.steps == 0) GTEST_SKIP() << "no such kernel";
    EXPECT_EQ(kernel.steps, prepared.cases.size());
    auto const steps = prepared.steps();
    for (std::size_t i = 0; i < steps.size(); i += 2) kernel.launch(std::span(steps).subspan(i, 2));
    auto const alone = prepared.ops.front()->output();
    kernel.launch(steps);
    EXPECT_EQ(prepared.ops.front()->output(), alone);
}

/// Neither of two kernels whose blocks wait for each other may keep the other's from starting.
TEST(CudaChains, RunSideBySide) {
    if (gpu().backend == nullptr) GTEST_SKIP() << gpu().why_not;
    constexpr ChainCase kOne{.name = "side_by_side", .layers = 6, .h = 128, .w = 136};
    constexpr ChainCase kOther{.name = "by_the_side", .layers = 5, .h = 136, .w = 200, .starts_shifted = true};
    Prepared const one(kOne, Precision::fp16, -1), other(kOther, Precision::fp16, -1);
    ChainKernel const kernel = one.kernel(Precision::fp16);
    if (kernel.steps == 0) GTEST_SKIP() << "no such kernel";
    auto const output = [](Prepared const& of) { return of.ops.front()->output(); };
    kernel.launch(one.steps());
    auto const of_one = output(one);
    kernel.launch(other.steps());
    auto const of_other = output(other);
    for (int run = 0; run < 20; ++run) {
        kernel.launch(one.steps());
        kernel.launch(other.steps());
    }
    EXPECT_EQ(output(one), of_one);
    EXPECT_EQ(output(other), of_other);
}

}  // namespace
}  // namespace vitrum::test
