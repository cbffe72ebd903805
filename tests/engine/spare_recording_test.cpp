// SPDX-License-Identifier: Apache-2.0
// Sizes that come once or twice: a session gives one recording the addresses and sizes of each.
#include <gtest/gtest.h>

#include <random>

#include "caller.h"
#include "fake_engine.h"
#include "small_network.h"
#include "vitrum/error.h"

namespace vitrum {
namespace {

using test::Caller;
using test::FakeLog;
using test::on_fake_device;

class ComingOnce : public testing::Test {
protected:
    /// Runs on the device and on the host.
    void expect_right(Sizes const& sizes) {
        ++seed_;
        device_.prepare(sizes);
        fill(device_);
        device_.run();
        EXPECT_TRUE(std::ranges::equal(device_.output(), expected(sizes))) << sizes.h << "x" << sizes.w;
    }
    void fill(Session& session) const {
        std::mt19937 random(seed_);
        for (float& value : session.input()) value = static_cast<float>(random() % 256) / 255.0F;
    }
    std::span<float const> expected(Sizes const& sizes) {
        host_.prepare(sizes);
        fill(host_);
        host_.run();
        return host_.output();
    }
    /// Of as many as asked for, no two of which are equal.
    static Sizes size(int i) { return {1, 4 + i % 7, 5 + i / 7}; }

    FakeLog log_;
    Engine engine_ = on_fake_device(log_);
    Session device_{engine_}, beside_{engine_};
    Session host_{small_engine({.device = Device::reference, .threads = 1})};
    unsigned seed_ = 0;
};

TEST_F(ComingOnce, SizesAreGivenOneRecording) {
    for (int i = 0; i < 20; ++i) expect_right(size(i));
    EXPECT_EQ(log_.recordings, 1) << "with the second size";
    EXPECT_EQ(log_.updates, 18);
    EXPECT_EQ(log_.replays, 19);
}

TEST_F(ComingOnce, AndAThirdTimeSizesGetTheirOwn) {
    for (int turn = 0; turn < 6; ++turn) {
        for (int i = 0; i < 3; ++i) expect_right(size(i));
    }
    EXPECT_EQ(log_.recordings, 4) << "each has its own in the end";
    EXPECT_EQ(log_.replays, 17);
    for (int i = 3; i < 9; ++i) expect_right(size(i));
    EXPECT_EQ(log_.recordings, 4);
    for (int i = 0; i < 3; ++i) expect_right(size(i));
}

TEST_F(ComingOnce, OneSizeNeedsNoSpare) {
    for (int run = 0; run < 2; ++run) expect_right(size(1));
    EXPECT_EQ(log_.recordings, 0);
    for (int run = 0; run < 4; ++run) expect_right(size(1));
    EXPECT_EQ(log_.recordings, 1);
    EXPECT_EQ(log_.updates, 0);
}

TEST(SpareRecordings, AreForSessionsSideBySide) {
    FakeLog log;
    Session session(on_fake_device(log));
    for (std::int64_t side = 4; side < 12; ++side) {
        session.prepare({1, side, 8});
        session.run();
    }
    EXPECT_EQ(log.recordings, 0);
}

TEST_F(ComingOnce, SizesAreRecordedAnewWhereTheDeviceRefuses) {
    log_.refuses_updates = true;
    for (int i = 0; i < 6; ++i) expect_right(size(i));
    EXPECT_EQ(log_.recordings, 5);
    log_.refuses_updates = false;
    for (int i = 0; i < 6; ++i) expect_right(size(i));
    EXPECT_EQ(log_.recordings, 5);
}

TEST_F(ComingOnce, SizesSurviveMemoryThatMovesAndRunsOut) {
    log_.memory_limit = std::size_t{8} << 20;  // so that no size gets more than it needs
    for (int i = 3; i-- > 0;) expect_right(size(i));
    EXPECT_EQ(log_.recordings, 1);
    expect_right({1, 64, 64});
    EXPECT_EQ(log_.recordings, 2) << "the first one's addresses are gone";
    for (int i = 3; i-- > 0;) expect_right(size(i));
    EXPECT_THROW(device_.prepare({1, 1024, 1024}), Error);
    for (int i = 0; i < 3; ++i) expect_right(size(i));
}

TEST_F(ComingOnce, SizesSurviveErrorsWhileItIsMade) {
    for (int i = 0; i < 3; ++i) expect_right(size(i));
    for (int i = 3; i < 5; ++i) {
        log_.refuse_launch_of = "Mlp";
        device_.prepare(size(i));
        EXPECT_THROW(device_.run(), Error);
        log_.refuse_launch_of = {};
        for (int run = 0; run < 4; ++run) expect_right(size(i));
        for (int old = 0; old < 3; ++old) expect_right(size(old));
    }
}

TEST_F(ComingOnce, SizesSurviveRunsThatAreCancelled) {
    for (int i = 0; i < 4; ++i) {
        device_.prepare(size(i));
        EXPECT_THROW(device_.run([](double) { return false; }), Error);
        expect_right(size(i));
    }
}

TEST_F(ComingOnce, SizesOfTheDevicesTensorsAreGivenOneToo) {
    Caller caller(device_.engine());
    for (int i = 0; i < 12; ++i) {
        Sizes const sizes = size(i % 8);
        ++seed_;
        device_.prepare(sizes);
        auto const result = expected(sizes);
        std::vector const in{
            caller.give({host_.input().begin(), host_.input().end()}, device_.engine().inputs(sizes)[0].shape)};
        auto const shape = device_.engine().outputs(sizes)[0].shape;
        std::vector const out{caller.room_for(shape)}, again{caller.room_for(shape)};
        device_.run(in, out, caller.stream());
        if (i % 2 == 0) device_.run(in, again, caller.stream());  // while the first may still be under way
        EXPECT_TRUE(std::ranges::equal(caller.take(out[0], shape), result)) << i;
        if (i % 3 == 0) expect_right(size(i));
    }
    EXPECT_GT(log_.updates, 0);
}

TEST(SpareRecordings, LeaveMoreExactRunsRight) {
    FakeLog log;
    log.rounds = true;
    Engine const engine = on_fake_device(log, steep_graph(), Precision::fp16);
    Session const beside(engine);
    Session session(engine);
    for (std::int64_t side = 2; side < 8; ++side) {
        session.prepare({1, side, 4});
        for (float const value : {1.0F, 4.0F, 0.5F}) {
            std::ranges::fill(session.input(), value);
            session.run_checked();
            for (float const made : session.output()) EXPECT_NEAR(made, value, 0.01) << side;
        }
    }
    EXPECT_EQ(session.reruns(), (Reruns{6, 0}));
    EXPECT_GT(log.updates, 0);
}

}  // namespace
}  // namespace vitrum
