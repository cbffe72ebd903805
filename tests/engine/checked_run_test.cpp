// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "fake_engine.h"
#include "small_network.h"
#include "vitrum/error.h"

namespace vitrum {
namespace {

using test::FakeLog;
using test::on_fake_device;

/// What comes out of a checked run on a picture of that value, the first number of it.
float checked(Session& session, float value) {
    std::ranges::fill(session.input(), value);
    session.run_checked();
    return session.output().front();
}

TEST(CheckedRun, EndsInTheFirstPrecisionThatGivesNumbers) {
    for (auto const precision : {Precision::fp16, Precision::bf16, Precision::tf32, Precision::fp32}) {
        FakeLog log;
        log.rounds = true;
        Session session(on_fake_device(log, steep_graph(), precision));
        session.prepare({1, 4, 4});
        EXPECT_NEAR(checked(session, 4), 4, 0.05) << "3e4 · 4 is beyond what fp16 holds";
        EXPECT_EQ(session.reruns(), (Reruns{precision == Precision::fp16 ? 1 : 0, 0})) << name_of(precision);
        EXPECT_EQ(log.precisions.contains(Precision::tf32),
                  precision == Precision::fp16 || precision == Precision::tf32);
    }
}

TEST(CheckedRun, GoesBackToThePrecisionThatWasAskedFor) {
    FakeLog log;
    log.rounds = true;
    Session session(on_fake_device(log, steep_graph(), Precision::fp16));
    session.prepare({1, 4, 4});
    for (int round = 1; round <= 3; ++round) {
        EXPECT_NEAR(checked(session, 4), 4, 0.01);
        EXPECT_NEAR(checked(session, 1), 1, 0.01);
        EXPECT_EQ(session.reruns(), (Reruns{round, 0}));
    }
    std::ranges::fill(session.input(), 4.0F);
    session.run();
    EXPECT_FALSE(std::isfinite(session.output().front())) << "a run that is not checked stays as it was asked for";
}

TEST(CheckedRun, LeavesWhatFloat32DoesNotMend) {
    FakeLog log;
    log.rounds = true;
    Session session(on_fake_device(log, steep_graph(), Precision::fp16));
    session.prepare({1, 4, 4});
    EXPECT_FALSE(std::isfinite(checked(session, std::numeric_limits<float>::infinity())));
    EXPECT_EQ(session.reruns(), (Reruns{0, 1}));
    EXPECT_NEAR(checked(session, 1), 1, 0.01);
}

TEST(CheckedRun, SharesTheWeightsOfAllPrecisions) {
    FakeLog log;
    log.rounds = true;
    Engine const engine = on_fake_device(log, steep_graph(), Precision::fp16);
    Session session(engine);
    session.prepare({1, 4, 4});
    static_cast<void>(checked(session, std::numeric_limits<float>::infinity()));
    for (auto const& [address, uploads] : log.weight_uploads) EXPECT_EQ(uploads, 1);
}

TEST(CheckedRun, WithoutMemoryForTheMoreExactRunIsAnErrorThatTheSessionSurvives) {
    FakeLog log;
    log.rounds = true;
    log.more_workspace[Precision::tf32] = std::size_t{64} << 20;
    Session session(on_fake_device(log, steep_graph(), Precision::fp16));
    session.prepare({1, 4, 4});
    log.memory_limit = log.bytes_held;
    try {
        static_cast<void>(checked(session, 4));
        FAIL() << "should have thrown";
    } catch (Error const& error) {
        EXPECT_EQ(error.kind(), ErrorKind::out_of_memory);
    }
    session.prepare({1, 4, 4});
    EXPECT_NEAR(checked(session, 1), 1, 0.01);
}

}  // namespace
}  // namespace vitrum
