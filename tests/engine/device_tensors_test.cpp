// SPDX-License-Identifier: Apache-2.0
// Runs on tensors that lie on the device, by the fake one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "caller.h"
#include "fake_engine.h"
#include "small_network.h"
#include "vitrum/error.h"

namespace vitrum {
namespace {

using test::Caller;
using test::FakeLog;
using test::on_fake_device;

constexpr Sizes kSizes{2, 5, 7};

/// What the small network makes of its fixed picture by way of the host.
struct Expected {
    std::vector<float> input, output;
    std::vector<std::int64_t> input_shape, output_shape;

    explicit Expected(Session& session) {
        session.prepare(kSizes);
        fill_input(session);
        input.assign(session.input().begin(), session.input().end());
        session.run();
        output.assign(session.output().begin(), session.output().end());
        input_shape = session.engine().inputs(kSizes)[0].shape;
        output_shape = session.engine().outputs(kSizes)[0].shape;
    }
};

TEST(DeviceTensors, GiveWhatTheHostGets) {
    FakeLog log;
    Session session(on_fake_device(log));
    Expected const expected(session);
    Caller caller(session.engine());
    for (int run = 0; run < 5; ++run) {
        std::vector const in{caller.give(expected.input, expected.input_shape)};
        std::vector const out{caller.room_for(expected.output_shape)};
        session.run(in, out, caller.stream());
        EXPECT_EQ(caller.take(out[0], expected.output_shape), expected.output) << run;
    }
    EXPECT_EQ(log.recordings, 1) << "of the steps alone, at the third run";
    EXPECT_EQ(log.replays, 3);
}

TEST(DeviceTensors, AreReadAndWrittenInTheOrderOfTheCallersQueue) {
    FakeLog log;
    Session session(on_fake_device(log));
    Expected const expected(session);
    Caller caller(session.engine());
    std::vector const in{caller.give(expected.input, expected.input_shape)};  // not there yet
    std::vector const out{caller.room_for(expected.output_shape)};
    session.run(in, out, caller.stream());
    session.run(in, out, caller.stream());  // and nothing waits
    EXPECT_EQ(caller.take(out[0], expected.output_shape), expected.output);
}

TEST(DeviceTensors, AreWrittenBeforeTheSessionsMemoryGoes) {
    for (bool const ends : {false, true}) {
        FakeLog log;
        log.memory_limit = std::size_t{8} << 20;  // so that no size gets more than it needs
        auto session = std::make_unique<Session>(on_fake_device(log));
        Expected const expected(*session);
        Caller caller(session->engine());
        std::vector const in{caller.give(expected.input, expected.input_shape)};
        std::vector const out{caller.room_for(expected.output_shape)};
        session->run(in, out, caller.stream());
        if (ends) session.reset();
        else session->prepare({1, 64, 64});
        EXPECT_EQ(caller.take(out[0], expected.output_shape), expected.output) << ends;
    }
}

TEST(DeviceTensors, AreNotTouchedAfterAnError) {
    FakeLog log;
    Session session(on_fake_device(log));
    Expected const expected(session);
    Caller caller(session.engine());
    std::vector const in{caller.give(expected.input, expected.input_shape)};
    std::vector const out{caller.room_for(expected.output_shape)};
    log.refuse_launch_of = "Mlp";
    EXPECT_THROW(session.run(in, out, caller.stream()), Error);
    log.refuse_launch_of = {};
    session.run(in, out, caller.stream());
    EXPECT_EQ(caller.take(out[0], expected.output_shape), expected.output);
}

TEST(DeviceTensors, LeaveRunsOnTheHostAsTheyWere) {
    FakeLog log;
    Session session(on_fake_device(log));
    Expected const expected(session);
    Caller caller(session.engine());
    std::vector const in{caller.give(std::vector<float>(expected.input.size()), expected.input_shape)};
    std::vector const out{caller.room_for(expected.output_shape)};
    session.run(in, out, caller.stream());
    session.run();
    EXPECT_TRUE(std::ranges::equal(session.output(), expected.output));
}

TEST(DeviceTensors, MayBePackedAndOfOtherTypes) {
    FakeLog log;
    Session session(on_fake_device(log));
    Expected const expected(session);
    Caller caller(session.engine());
    std::vector in{caller.give(expected.input, expected.input_shape)};
    std::vector out{caller.room_for(expected.output_shape, "float16")};
    session.run(in, out, caller.stream());
    auto const halves = caller.take<std::uint16_t>(out[0], expected.output_shape);
    for (std::size_t i = 0; i < halves.size(); ++i)
        EXPECT_NEAR(half_to_float(halves[i]), expected.output[i], std::abs(expected.output[i]) / 2048 + 1e-6);

    out[0].dtype = "float64";
    EXPECT_EQ(session.run_checked(in, out, caller.stream()), Outcome::fine);
    auto const doubles = caller.take<double>(out[0], expected.output_shape);
    for (std::size_t i = 0; i < doubles.size(); ++i) EXPECT_EQ(doubles[i], expected.output[i]);

    auto const channels_last = [](std::vector<std::int64_t> const& s) {
        return std::vector{s[1] * s[2] * s[3], s[2] * s[3], s[3], std::int64_t{1}};
    };
    out[0].dtype = "float32", out[0].strides = {};
    session.run(in, out, caller.stream());
    out[0].strides = channels_last(expected.output_shape);
    EXPECT_EQ(caller.take(out[0], expected.output_shape), expected.output);
}

TEST(DeviceTensors, OfACheckedRunAreMadeAgainMoreExactly) {
    FakeLog log;
    log.rounds = true;
    Session session(on_fake_device(log, steep_graph(), Precision::fp16));
    session.prepare({1, 4, 4});
    std::vector<std::int64_t> const shape{1, 4, 4, 1};
    Caller caller(session.engine());
    std::vector out{caller.room_for(shape)};
    auto const checked = [&](float value) {
        std::vector const in{caller.give(std::vector<float>(16, value), shape)};
        return session.run_checked(in, out, caller.stream());
    };
    EXPECT_EQ(checked(4), Outcome::fine);
    EXPECT_EQ(session.reruns(), (Reruns{1, 0}));
    EXPECT_NEAR(caller.take(out[0], shape)[0], 4, 0.01);
    EXPECT_EQ(checked(1), Outcome::fine);
    EXPECT_EQ(session.reruns(), (Reruns{1, 0})) << "as was asked for";
    EXPECT_EQ(checked(std::numeric_limits<float>::infinity()), Outcome::not_finite);
    EXPECT_EQ(session.reruns(), (Reruns{1, 1}));
    out[0].dtype = "float16";
    EXPECT_EQ(checked(1e5F), Outcome::out_of_range);
    EXPECT_EQ(checked(1), Outcome::fine) << "of this run alone";
}

TEST(DeviceTensors, ThatAreNotTheNetworksAreRefused) {
    FakeLog log;
    Session session(on_fake_device(log));
    Expected const expected(session);
    Caller caller(session.engine());
    DeviceTensor const in = caller.give(expected.input, expected.input_shape);
    DeviceTensor const out = caller.room_for(expected.output_shape);
    auto const refusal = [&](std::vector<DeviceTensor> const& inputs, std::vector<DeviceTensor> const& outputs) {
        try {
            session.run(inputs, outputs, caller.stream());
        } catch (Error const& error) {
            EXPECT_EQ(error.kind(), ErrorKind::usage);
            return std::string(error.what());
        }
        return std::string("none");
    };
    EXPECT_EQ(refusal({in, in}, {out}), "2 inputs for a network that has 1");
    EXPECT_EQ(refusal({in}, {}), "0 outputs for a network that has 1");
    EXPECT_EQ(refusal({{in.data, "uint8", in.strides}}, {out}), "input: uint8 values, where the network has float32");
    EXPECT_EQ(refusal({{nullptr, "float32", in.strides}}, {out}), "input: no memory");
    EXPECT_EQ(refusal({{in.data, "float32", {1, 2}}}, {out}),
              "input: strides are for float32 tensors [N, H, W, C]; pass a packed one without");
    EXPECT_EQ(refusal({in}, {out}), "none");
    session.wait();

    Session on_host(small_engine());
    on_host.prepare(kSizes);
    EXPECT_THROW(on_host.run(std::vector{in}, std::vector{out}, nullptr), Error);
}

TEST(DeviceTensors, StayInMemoryBehindTheirEngine) {
    FakeLog log;
    std::shared_ptr<std::byte> kept;
    {
        Engine const engine = on_fake_device(log);
        kept = engine.allocate(1000);
    }
    EXPECT_GE(log.bytes_held, 1000U);
    kept.reset();
    EXPECT_EQ(log.bytes_held, 0U);
}

}  // namespace
}  // namespace vitrum
