// SPDX-License-Identifier: Apache-2.0
// Every case of tests/data on a GPU: what PyTorch answers, and what a replayed run answers. Needs no picture library,
// so that it can be carried to a machine that has little but a GPU.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "cuda_data.h"
#include "overflowing_network.h"
#include "vitrum/measure.h"

namespace vitrum {
namespace {

using test::cases;
using test::checkpoint_of;
using test::data_folder;
using test::golden_of;
using test::open_on_gpu;
using test::why_no_gpu;
using test::why_no_second_gpu;

TEST(CudaGoldenCases, AreThere) {
    EXPECT_FALSE(cases().empty()) << data_folder() << " holds none";
}

/// A network of a few channels with random weights may turn rounding errors into larger ones than published networks
/// do: by how much, float32's own noise tells. Coarser operands grow it by the ratio of their roundings, here times 4.
double limit(GoldenReport const& report, Precision precision) {
    double const roundings = precision == Precision::fp32 ? 1 : precision == Precision::bf16 ? 0x1p16 : 0x1p13;
    return std::max(report.tolerance, 4 * roundings * report.float32_noise);
}

class CudaGolden : public testing::TestWithParam<std::tuple<std::string, Precision>> {};

void expect_golden(Session& session, std::string const& name, Precision precision) {
    auto const report = verify_golden(session, golden_of(name));
    ASSERT_FALSE(report.outputs.empty());
    for (auto const& output : report.outputs) {
        EXPECT_EQ(output.non_finite, 0) << output.name;
        EXPECT_LT(output.normalised, limit(report, precision)) << output.name;
    }
}

constexpr int kRuns = 4;  // twice as it stands, recorded, replayed

void expect_golden_on_every_run(int gpu, std::string const& name, Precision precision) {
    Session session(open_on_gpu(name, gpu, precision));
    for (int run = 0; run < kRuns; ++run) {
        SCOPED_TRACE(fmt::format("run {}", run));
        expect_golden(session, name, precision);
    }
}

TEST_P(CudaGolden, AgreesWithPyTorchOnEveryRun) {
    if (!why_no_gpu().empty()) GTEST_SKIP() << why_no_gpu();
    auto const& [name, precision] = GetParam();
    expect_golden_on_every_run(0, name, precision);
}

INSTANTIATE_TEST_SUITE_P(
    Data, CudaGolden,
    testing::Combine(testing::ValuesIn(cases()),
                     testing::Values(Precision::fp32, Precision::tf32, Precision::fp16, Precision::bf16)),
    [](auto const& at) { return fmt::format("{}_{}", name_of(std::get<1>(at.param)), std::get<0>(at.param)); });

class CudaTwoGpus : public testing::TestWithParam<std::string> {};

TEST_P(CudaTwoGpus, AnswerInOneThreadByTurns) {
    if (!why_no_second_gpu().empty()) GTEST_SKIP() << why_no_second_gpu();
    Session first(open_on_gpu(GetParam(), 0, Precision::tf32)), second(open_on_gpu(GetParam(), 1, Precision::tf32));
    for (int run = 0; run < kRuns; ++run) {
        SCOPED_TRACE(fmt::format("run {}", run));
        expect_golden(first, GetParam(), Precision::tf32);
        expect_golden(second, GetParam(), Precision::tf32);
    }
}

TEST_P(CudaTwoGpus, AnswerSideBySide) {
    if (!why_no_second_gpu().empty()) GTEST_SKIP() << why_no_second_gpu();
    std::jthread const other([] { expect_golden_on_every_run(1, GetParam(), Precision::tf32); });
    expect_golden_on_every_run(0, GetParam(), Precision::tf32);
}

INSTANTIATE_TEST_SUITE_P(Data, CudaTwoGpus, testing::ValuesIn(cases()), [](auto const& at) { return at.param; });

TEST(CudaAutomatic, WhatLeavesFloat16BecomesInfiniteAndIsRunAgain) {
    if (!why_no_gpu().empty()) GTEST_SKIP() << why_no_gpu();
    for (Precision const precision : {Precision::fp16, Precision::bf16}) {
        Session asked(test::make_mlp_engine(1e6F, precision)), exact(test::make_mlp_engine(1e6F, Precision::fp32));
        EXPECT_FALSE(test::is_finite(test::outcome(asked, false))) << "an operand beyond 65504 must show";
        auto const again = test::outcome(asked, true), expected = test::outcome(exact, false);
        EXPECT_EQ(asked.reruns(), (Reruns{1, 0}));
        for (std::size_t i = 0; i < again.size(); ++i) ASSERT_NEAR(again[i], expected[i], 1e-2) << i;
    }
    EXPECT_EQ(choose_precision(test::make_mlp_engine(1e6F, Precision::fp32)).precision, Precision::tf32);
}

class CudaAutomaticPrecision : public testing::TestWithParam<std::string> {};

/// No allowance for small networks here: one that rounds too coarsely is not to be taken.
TEST_P(CudaAutomaticPrecision, KeepsTheLimitOfWhatItTook) {
    if (!why_no_gpu().empty()) GTEST_SKIP() << why_no_gpu();
    Engine const exact = Engine::open(checkpoint_of(GetParam()), {.device = Device::cuda});
    PrecisionChoice const choice = choose_precision(exact);
    for (PrecisionTrial const& trial : choice.trials) {
        fmt::print("{}: error {:.1e} of {:.1e}, {} {:.4g} of {:.4g}; {}\n", name_of(trial.precision), trial.error,
                   trial.error_limit, trial.quality, trial.quality_value, trial.quality_limit,
                   trial.why_not.empty() ? "taken" : trial.why_not);
    }
    Session session(exact.in_precision(choice.precision));
    auto const report = verify_golden(session, golden_of(GetParam()));
    for (auto const& output : report.outputs) {
        EXPECT_EQ(output.non_finite, 0) << output.name;
        EXPECT_LE(output.normalised, report.tolerance) << output.name << " in " << name_of(choice.precision);
    }
}

INSTANTIATE_TEST_SUITE_P(Data, CudaAutomaticPrecision, testing::ValuesIn(cases()),
                         [](auto const& at) { return at.param; });

}  // namespace
}  // namespace vitrum
