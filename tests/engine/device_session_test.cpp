// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <random>
#include <thread>

#include "engine/engine_data.h"
#include "fake_engine.h"
#include "small_network.h"
#include "vitrum/error.h"

namespace vitrum {
namespace {

using test::FakeLog;
using test::on_fake_device;

Engine on_reference(Graph graph = small_graph()) {
    return Engine(std::make_shared<Engine::Data>(small_info(), std::move(graph),
                                                 CompileOptions{.device = Device::reference, .threads = 1}));
}

std::vector<float> run_with(Session& session, unsigned seed) {
    std::mt19937 random(seed);
    for (float& value : session.input()) value = static_cast<float>(random() % 256) / 255.0F;
    session.run();
    return {session.output().begin(), session.output().end()};
}

TEST(DeviceSession, GivesWhatTheHostGivesOnEveryRunAtEverySize) {
    FakeLog log;
    Session device(on_fake_device(log));
    Session host(on_reference());
    for (Sizes const sizes : {Sizes{1, 5, 7}, Sizes{2, 12, 9}, Sizes{1, 1, 1}, Sizes{1, 5, 7}}) {
        device.prepare(sizes);
        host.prepare(sizes);
        for (unsigned run = 0; run < 5; ++run) {  // twice as it stands, recorded, replayed
            EXPECT_EQ(run_with(device, run), run_with(host, run)) << sizes.h << "x" << sizes.w << ", run " << run;
        }
    }
}

TEST(DeviceSession, LetsStepsWaitForWhatTheyNeedAlone) {
    FakeLog log;
    Session device(on_fake_device(log, graph_with_branches())), host(on_reference(graph_with_branches()));
    for (Sizes const sizes : {Sizes{1, 5, 7}, Sizes{2, 12, 9}}) {
        device.prepare(sizes);
        host.prepare(sizes);
        for (unsigned run = 0; run < 4; ++run) EXPECT_EQ(run_with(device, run), run_with(host, run));
        EXPECT_GT(log.overtaken.exchange(0), 0);
    }
}

TEST(DeviceSession, RunsSeveralStepsInOneKernelWhereThereIsOne) {
    for (std::size_t const longest : {2, 4, 16}) {
        FakeLog log;
        log.longest_chain = longest;
        int const chains = longest == 2 ? 2 : 1;  // of two layers
        Session device(on_fake_device(log)), host(on_reference());
        for (Sizes const sizes : {Sizes{1, 5, 7}, Sizes{2, 12, 9}}) {
            device.prepare(sizes);
            host.prepare(sizes);
            log.chains = 0;
            for (unsigned run = 0; run < 4; ++run) EXPECT_EQ(run_with(device, run), run_with(host, run));
            EXPECT_EQ(log.chains, 3 * chains) << "in two runs and in the recording of the third";
        }
        std::size_t layers = 0, nodes = small_graph().nodes.size();
        int const before = log.chains;
        device.run_layers([&](LayerValue const&) { ++layers; });
        EXPECT_EQ(layers, nodes);
        EXPECT_EQ(log.chains, before) << "what lies between shows";
        auto const ops = device.profile(1);
        EXPECT_EQ(ops.size(), nodes - 4 + static_cast<std::size_t>(chains));
        std::string_view const name = longest == 2 ? "WindowAttention, Mlp" : "2 × (WindowAttention, Mlp)";
        EXPECT_EQ(std::ranges::count(ops, name, &OpProfile::op), chains);
    }
}

TEST(DeviceSession, WritesWhatOthersReadBetweenTheStepsOfOneKernel) {
    for (auto const& [step, chains, chained] : {std::tuple(0, 1, 2), std::tuple(1, 2, 4), std::tuple(3, 1, 4)}) {
        Graph graph = small_graph();
        std::vector<ValueId> made;
        for (Node const& node : graph.nodes) {
            if (std::holds_alternative<WindowAttention>(node.op) || std::holds_alternative<Mlp>(node.op)) {
                made.push_back(node.outputs.front());
            }
        }
        for (Node& node : graph.nodes) {
            bool const adds = std::holds_alternative<Conv2d>(node.op) && node.inputs[Conv2d::kResidual] != kNone;
            if (adds) node.inputs[Conv2d::kResidual] = made.at(static_cast<std::size_t>(step));
        }
        FakeLog log;
        log.longest_chain = 16;
        Session device(on_fake_device(log, graph)), host(on_reference(graph));
        device.prepare({1, 5, 7});
        host.prepare({1, 5, 7});
        EXPECT_EQ(run_with(device, 1), run_with(host, 1));
        EXPECT_EQ(std::pair(log.chains.load(), log.chained.load()), std::pair(chains, chained)) << step;
    }
}

TEST(DeviceSession, AsksKernelsForThePrecisionThatWasChosen) {
    for (auto const precision : {Precision::fp32, Precision::tf32, Precision::bf16, Precision::fp16}) {
        FakeLog log;
        Engine const engine = on_fake_device(log, small_graph(), precision);
        static_cast<void>(engine.explain({1, 8, 8}));
        EXPECT_EQ(log.precisions, std::set{precision});
        EXPECT_EQ(engine.precision(), precision);
    }
    FakeLog log;
    EXPECT_EQ(on_fake_device(log).precision(), Precision::fp32) << "what is not asked for is not rounded";
}

TEST(DeviceSession, AnotherDeviceHasItsOwnPrecision) {
    FakeLog log;
    EXPECT_EQ(on_fake_device(log).on_device(Device::reference).precision(), Precision::fp32);
}

TEST(DeviceSession, RecordsARunWhenASizeComesTheThirdTimeAndReplaysIt) {
    FakeLog log;
    Session session(on_fake_device(log));
    session.prepare({1, 8, 8});
    for (unsigned run = 0; run < 2; ++run) static_cast<void>(run_with(session, run));
    EXPECT_EQ(log.recordings, 0) << "a size that occurs once or twice is not worth it";
    for (unsigned run = 2; run < 4; ++run) static_cast<void>(run_with(session, run));
    EXPECT_EQ(log.recordings, 1);
    EXPECT_EQ(log.replays, 2);
    EXPECT_EQ(log.launches, static_cast<int>(3 * small_graph().nodes.size()));
    session.prepare({1, 4, 8});
    static_cast<void>(run_with(session, 4));
    EXPECT_EQ(log.replays, 2) << "replayed another size's run";
}

/// Runs at a size and compares with the host's result.
void expect_right(Session& device, Session& host, Sizes const& sizes, unsigned seed) {
    device.prepare(sizes);
    host.prepare(sizes);
    EXPECT_EQ(run_with(device, seed), run_with(host, seed)) << sizes.h << "x" << sizes.w << ", seed " << seed;
}

constexpr Sizes kUpright{1, 12, 8}, kFlat{1, 8, 12};

TEST(DeviceSession, ReplaysSizesThatTakeTurns) {
    for (bool const reads_no_picture : {false, true}) {
        FakeLog log;
        Graph const graph = reads_no_picture ? graph_with_positions() : small_graph();
        Session device(on_fake_device(log, graph)), host(on_reference(graph));
        for (unsigned turn = 0; turn < 5; ++turn) {
            expect_right(device, host, kUpright, turn);
            expect_right(device, host, kFlat, turn);
        }
        EXPECT_EQ(log.recordings, 2);
        EXPECT_EQ(log.replays, 6);
    }
}

TEST(DeviceSession, ForgetsRecordingsWhenItsMemoryMoves) {
    FakeLog log;
    log.memory_limit = std::size_t{8} << 20;  // so that no size gets more than it needs
    Session device(on_fake_device(log)), host(on_reference());
    for (unsigned run = 0; run < 4; ++run) expect_right(device, host, kUpright, run);
    int const replays = log.replays;
    expect_right(device, host, {1, 64, 64}, 1);  // a larger arena
    expect_right(device, host, kUpright, 4);
    EXPECT_EQ(log.replays, replays) << "of addresses that are gone";
    for (unsigned run = 0; run < 3; ++run) expect_right(device, host, kUpright, run);
    EXPECT_GT(log.replays, replays);
}

TEST(DeviceSession, KeepsRecordingsByTheirMemory) {
    for (auto const& [each, expected] : {std::pair(1UL << 20, 3), std::pair(100UL << 20, 9)}) {
        FakeLog log;
        log.recording_bytes = each;
        Session device(on_fake_device(log)), host(on_reference());
        for (unsigned turn = 0; turn < 3; ++turn) {
            for (Sizes const sizes : {kUpright, kFlat, Sizes{1, 4, 4}}) {
                for (unsigned run = 0; run < 3; ++run) expect_right(device, host, sizes, run);
            }
        }
        EXPECT_EQ(log.recordings, expected) << each << " bytes each";
    }
}

TEST(DeviceSession, RunsSideBySideWithOthersOfItsEngine) {
    FakeLog log;
    Engine const engine = on_fake_device(log);
    constexpr std::array kSizes = {kUpright, kFlat, Sizes{2, 5, 7}};
    std::vector<std::vector<float>> expected;
    for (Sizes const& sizes : kSizes) {
        Session host(on_reference());
        host.prepare(sizes);
        expected.push_back(run_with(host, 1));
    }
    std::atomic<int> wrong = 0;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 3; ++i) {
            threads.emplace_back([&] {
                Session session(engine);
                for (std::size_t turn = 0; turn < 9; ++turn) {
                    session.prepare(kSizes[turn % 3]);
                    if (run_with(session, 1) != expected[turn % 3]) ++wrong;
                }
            });
        }
    }
    EXPECT_EQ(wrong, 0);
    for (Value const& value : engine.data().only.graph->values) {
        if (value.constant == nullptr) continue;
        EXPECT_LE(log.weight_uploads[value.constant->bytes()], 1) << value.name;
    }
}

TEST(DeviceSession, TakesBatchesOfOneToSixteen) {
    FakeLog log;
    Session device(on_fake_device(log)), host(on_reference());
    for (std::int64_t batch = 1; batch <= 16; ++batch) expect_right(device, host, {batch, 5, 6}, 1);
}

TEST(DeviceSession, CopiesEveryWeightOnce) {
    FakeLog log;
    Engine const engine = on_fake_device(log);
    for (Sizes const sizes : {Sizes{1, 8, 8}, Sizes{1, 9, 4}}) {
        Session session(engine);
        session.prepare(sizes);
        static_cast<void>(run_with(session, 1));
    }
    ASSERT_FALSE(log.weight_uploads.empty());
    for (Value const& value : engine.data().only.graph->values) {
        if (value.constant == nullptr) continue;
        EXPECT_LE(log.weight_uploads[value.constant->bytes()], 1) << value.name;
    }
    auto const before = log.weight_uploads;
    Session third(engine);
    third.prepare({1, 8, 8});
    EXPECT_EQ(log.weight_uploads, before);
}

TEST(DeviceSession, ComputesOnceWhatReadsNoPicture) {
    FakeLog log;
    Session device(on_fake_device(log, graph_with_positions()));
    Session host(on_reference(graph_with_positions()));
    for (Sizes const sizes : {Sizes{2, 9, 7}, Sizes{2, 7, 9}, Sizes{2, 9, 7}}) {
        device.prepare(sizes);
        host.prepare(sizes);
        for (unsigned run = 0; run < 3; ++run) EXPECT_EQ(run_with(device, run), run_with(host, run));
    }
    for (OpProfile const& op : device.profile(1)) EXPECT_NE(op.op, "SinePosition");
}

TEST(DeviceSession, ShowsEveryLayerAndLeavesItsOutput) {
    FakeLog log;
    Session device(on_fake_device(log));
    Session host(on_reference());
    std::vector<std::vector<float>> layers;
    for (Session* const session : {&host, &device}) {
        session->prepare({1, 6, 5});
        fill_input(*session);
    }
    host.run_layers([&](LayerValue const& layer) { layers.emplace_back(layer.values.begin(), layer.values.end()); });
    std::size_t next = 0;
    device.run_layers([&](LayerValue const& layer) {
        ASSERT_LT(next, layers.size());
        EXPECT_TRUE(std::ranges::equal(layer.values, layers[next++])) << layer.op << " " << layer.provenance;
    });
    EXPECT_EQ(next, layers.size());
    EXPECT_TRUE(std::ranges::equal(device.output(), host.output()));
}

TEST(DeviceSession, TimesEveryOperator) {
    FakeLog log;
    Session session(on_fake_device(log));
    session.prepare({1, 8, 8});
    auto const ops = session.profile(3);
    ASSERT_EQ(ops.size(), small_graph().nodes.size());
    for (OpProfile const& op : ops) EXPECT_NEAR(op.seconds, 1e-3, 1e-9);
}

TEST(DeviceSession, ReportsMemoryThatTheDeviceRefusesAndStaysUsable) {
    FakeLog log;
    log.memory_limit = std::size_t{4} << 20;
    Session session(on_fake_device(log));
    try {
        session.prepare({1, 512, 512});
        FAIL() << "should have thrown";
    } catch (Error const& error) {
        EXPECT_EQ(error.kind(), ErrorKind::out_of_memory);
    }
    session.prepare({1, 8, 8});
    EXPECT_FALSE(run_with(session, 1).empty());
}

TEST(DeviceSession, ReportsWeightsThatDoNotFitAndTriesAgain) {
    FakeLog log;
    Engine const engine = on_fake_device(log);
    Session session(engine);
    log.memory_limit = engine.arena_bytes({1, 8, 8}) + 100;
    EXPECT_THROW(session.prepare({1, 8, 8}), Error);
    EXPECT_THROW(session.prepare({1, 8, 8}), Error) << "half a program was taken for a whole one";
    log.memory_limit = SIZE_MAX;
    session.prepare({1, 8, 8});
    EXPECT_FALSE(run_with(session, 1).empty());
}

TEST(DeviceSession, KeepsItsMemoryWhileSmallSizesGrow) {
    FakeLog log;
    Session session(on_fake_device(log));
    session.prepare({1, 8, 8});
    std::size_t const held = log.bytes_held, staged = log.staging_held;
    for (std::int64_t side = 16; side <= 64; side += 16) {
        session.prepare({1, side, side});
        EXPECT_FALSE(run_with(session, 1).empty());
    }
    EXPECT_EQ(log.bytes_held, held);
    EXPECT_EQ(log.staging_held, staged);
}

TEST(DeviceSession, GivesAllMemoryBack) {
    FakeLog log;
    {
        Session session(on_fake_device(log));
        session.prepare({1, 8, 8});
        for (unsigned run = 0; run < 2; ++run) static_cast<void>(run_with(session, run));
        EXPECT_GT(log.bytes_held, 0U);
        EXPECT_GT(log.staging_held, 0U);
    }
    EXPECT_EQ(log.bytes_held, 0U);
    EXPECT_EQ(log.staging_held, 0U);
}

TEST(DeviceSession, NamesTheOperatorThatCannotBeLaunched) {
    FakeLog log;
    Session session(on_fake_device(log));
    session.prepare({1, 8, 8});
    log.refuse_launch_of = "WindowAttention";
    try {
        session.run();
        FAIL() << "should have thrown";
    } catch (Error const& error) {
        EXPECT_NE(std::string(error.what()).find("WindowAttention (attn)"), std::string::npos) << error.what();
        EXPECT_NE(std::string(error.what()).find("too many resources"), std::string::npos) << error.what();
        EXPECT_EQ(error.kind(), ErrorKind::failed);
    }
}

// So that whoever runs tiles tries smaller ones.
TEST(DeviceSession, TellsThatMemoryRanOutWhereAKernelFindsNone) {
    FakeLog log;
    Session session(on_fake_device(log));
    session.prepare({1, 8, 8});
    log.refuse_launch_of = "WindowAttention";
    log.refusal = ErrorKind::out_of_memory;
    try {
        session.run();
        FAIL() << "should have thrown";
    } catch (Error const& error) {
        EXPECT_EQ(error.kind(), ErrorKind::out_of_memory);
    }
}

TEST(DeviceSession, TimesWhatTheDeviceDoesBetweenTheCopies) {
    FakeLog log;
    Session session(on_fake_device(log));
    session.prepare({1, 8, 8});
    std::vector<float> const expected = run_with(session, 0);
    int const replays = log.replays;
    EXPECT_EQ(session.compute_seconds(3).size(), 3U);
    EXPECT_EQ(log.replays, replays + 3);
    EXPECT_EQ(run_with(session, 0), expected);
}

TEST(DeviceSession, TellsItsProgressAtTheEndAndCanBeCancelled) {
    FakeLog log;
    Session session(on_fake_device(log));
    session.prepare({1, 8, 8});
    double last = 0;
    session.run([&](double fraction) {
        last = fraction;
        return true;
    });
    EXPECT_EQ(last, 1.0);
    EXPECT_THROW(session.run([](double) { return false; }), Error);
}

TEST(DeviceSession, MayBeRunFromAnotherThreadThanItWasPreparedOn) {
    FakeLog log;
    Session session(on_fake_device(log));
    session.prepare({1, 8, 8});
    auto const here = run_with(session, 1);
    std::vector<float> there;
    std::jthread([&] { there = run_with(session, 1); }).join();
    EXPECT_EQ(here, there);
}

}  // namespace
}  // namespace vitrum
