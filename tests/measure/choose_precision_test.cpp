// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "engine/engine_file_format.h"
#include "fake_engine.h"
#include "networks.h"
#include "precision_bars.h"
#include "vitrum/measure.h"

namespace vitrum {
namespace {

PrecisionChoice choice_for(Engine const& engine) {
    test::FakeLog log;
    log.rounds = true;
    return choose_precision(test::on_fake_device(engine, log));
}

TEST(ChoosePrecision, TakesTheFastestThatIsExactEnough) {
    PrecisionChoice const choice = choice_for(make_engine(kIdentity));
    EXPECT_EQ(choice.precision, Precision::fp16);
    ASSERT_EQ(choice.trials.size(), 1U);
    PrecisionTrial const& trial = choice.trials.front();
    EXPECT_EQ(trial.why_not, "");
    EXPECT_GT(trial.error, 1e-5) << "the device rounds";
    EXPECT_LE(trial.error, trial.error_limit);
    EXPECT_EQ(trial.quality, "PSNR dB");
    EXPECT_GT(trial.quality_value, 60);
    EXPECT_TRUE(std::isfinite(trial.quality_value));
}

TEST(ChoosePrecision, LeavesOutWhatOverflows) {
    PrecisionChoice const choice = choice_for(make_engine({.value_range = 1e5}));
    EXPECT_EQ(choice.precision, Precision::tf32);
    ASSERT_EQ(choice.trials.size(), 2U);
    EXPECT_NE(choice.trials[0].why_not.find("infinite"), std::string::npos) << choice.trials[0].why_not;
    EXPECT_EQ(choice.trials[1].why_not, "");
}

/// A small difference of large numbers, which loses all that rounding loses.
TEST(ChoosePrecision, LeavesOutWhatIsTooInexact) {
    PrecisionChoice const choice = choice_for(make_engine({.centre = 8.0039F, .around = -1}));
    EXPECT_EQ(choice.precision, Precision::fp32);
    ASSERT_EQ(choice.trials.size(), 2U);
    for (PrecisionTrial const& trial : choice.trials) EXPECT_NE(trial.why_not, "") << name_of(trial.precision);
}

TEST(ChoosePrecision, ShowsWhatOperatorsReadAndLose) {
    PrecisionChoice const choice = choice_for(make_engine({.value_range = 1e5}));
    ASSERT_EQ(choice.operators.size(), 3U);
    EXPECT_EQ(choice.operators[1].op, "Conv2d");
    EXPECT_EQ(choice.operators[1].provenance, "conv");
    EXPECT_NEAR(choice.operators[1].largest, 1e5, 2e4);
    for (PrecisionTrial const& trial : choice.trials) ASSERT_EQ(trial.layers.size(), 3U);
    EXPECT_EQ(choice.trials[1].layers[0].error, 0) << "nothing is rounded before the convolution";
    EXPECT_GT(choice.trials[1].layers[1].error, 0);
    EXPECT_FALSE(choice.trials[1].layers[1].kernel.empty());
}

TEST(ChoosePrecision, SpectraAreHeldAgainstTheirOwnMeasure) {
    PrecisionChoice const choice = choice_for(make_rgb_to_bands());
    EXPECT_EQ(choice.trials.front().quality, "MRAE");
    EXPECT_EQ(choice.precision, Precision::fp16);
}

TEST(ChoosePrecision, HostsComputeInFp32AndHaveRanges) {
    PrecisionChoice const choice = choose_precision(make_engine(kBlur));
    EXPECT_EQ(choice.precision, Precision::fp32);
    EXPECT_TRUE(choice.trials.empty());
    EXPECT_GT(choice.operators.at(1).largest, 0.5);
}

TEST(ChoosePrecision, NetworksOfOneSizeAreTriedAtIt) {
    Engine const engine = make_engine(kIdentity);
    engine.data().info.sizes = {.height = 24, .width = 40};
    PrecisionChoice const choice = choice_for(engine);
    EXPECT_EQ(choice.sizes.h, 24);
    EXPECT_EQ(choice.sizes.w, 40);
}

TEST(AutomaticPrecision, IsWhatAnEngineFileWasCompiledForOrElseWhatIsChosen) {
    test::FakeLog log;
    log.rounds = true;
    Engine const engine = test::on_fake_device(make_engine(kIdentity), log);
    EXPECT_EQ(in_automatic_precision(engine).precision(), Precision::fp16);
    engine.data().info.format = kEngineFileFormat;
    EXPECT_EQ(in_automatic_precision(engine).precision(), Precision::fp32);
    EXPECT_EQ(in_automatic_precision(make_engine(kIdentity)).precision(), Precision::fp32) << "of a host";
}

TEST(PrecisionBars, AreTheSameMeasuresAsEverywhere) {
    std::vector<float> const expected{0, 0.5F, 1, 1}, made{0, 0.6F, 1, 1.5F};
    EXPECT_NEAR(agreement(Task::restore, made, expected, 1, 1), 10 * std::log10(4 / 0.01), 1e-4) << "clipped to 1";
    EXPECT_NEAR(agreement(Task::spectral, made, expected, 1, 1), (0.2 + 0.5) / 4, 1e-6);
    std::vector<float> const masks{1, -1, 1, -1, 1, -1}, others{1, -1, 1, -1, -1, -1};  // three pixels of two masks
    EXPECT_NEAR(agreement(Task::segment, others, masks, 1, 2), 2.0 / 3, 1e-6)
        << "a mask that nobody has does not count";
    EXPECT_NEAR(bar_for(Task::restore, Precision::fp16).closer(2), 66.02, 0.01);
    EXPECT_NEAR(bar_for(Task::spectral, Precision::fp16).closer(2), 2.5e-3, 1e-9);
    EXPECT_NEAR(bar_for(Task::segment, Precision::fp16).closer(2), 0.9975, 1e-9);
}

}  // namespace
}  // namespace vitrum
