// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "allocations.h"
#include "engine/engine_data.h"
#include "program.h"
#include "small_network.h"
#include "vitrum/error.h"

namespace vitrum {
namespace {

std::vector<float> run_at(Session& session, Sizes const& sizes) {
    session.prepare(sizes);
    fill_input(session);
    session.run();
    return {session.output().begin(), session.output().end()};
}

/// max|a − b| / std(b), the measure of every accuracy limit.
double normalised_error(std::vector<float> const& a, std::vector<float> const& b) {
    EXPECT_EQ(a.size(), b.size());
    double largest = 0, sum = 0, squares = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        largest = std::max(largest, std::abs(double{a[i]} - double{b[i]}));
        sum += b[i];
        squares += double{b[i]} * b[i];
    }
    auto const count = static_cast<double>(b.size());
    return largest / std::sqrt(squares / count - sum / count * (sum / count));
}

TEST(Session, AgreesWithTheReferenceAtEverySize) {
    Session reference(small_engine({.device = Device::reference}));
    Session cpu(small_engine());
    for (Sizes const sizes :
         {Sizes{1, 1, 1}, Sizes{1, 3, 2}, Sizes{2, 4, 4}, Sizes{1, 5, 17}, Sizes{3, 13, 8}, Sizes{1, 31, 33}}) {
        auto const expected = run_at(reference, sizes);
        ASSERT_EQ(expected.size(), static_cast<std::size_t>(sizes.n * sizes.h * sizes.w * 12));
        EXPECT_LT(normalised_error(run_at(cpu, sizes), expected), 2e-5) << sizes.h << "x" << sizes.w;
    }
}

TEST(Session, GivesTheSameBitsOnEveryRunAndWithAnyNumberOfThreads) {
    Session one(small_engine({.threads = 1}));
    Session three(small_engine({.threads = 3}));
    auto const first = run_at(one, {1, 21, 19});
    EXPECT_EQ(first, run_at(three, {1, 21, 19}));
    one.run();  // the input is still there
    EXPECT_TRUE(std::ranges::equal(first, one.output()));
}

TEST(Session, TreatsEveryPictureOfABatchAlike) {
    Session session(small_engine());
    auto const single = run_at(session, {1, 9, 10});
    session.prepare({2, 9, 10});
    auto const input = session.input();
    for (std::size_t i = 0; i < input.size(); ++i) input[i] = 0.25F;
    auto const half = input.size() / 2;
    {
        Session other(small_engine());
        other.prepare({1, 9, 10});
        fill_input(other);
        std::ranges::copy(other.input(), input.begin() + static_cast<std::ptrdiff_t>(half));
    }
    session.run();
    auto const output = session.output();
    EXPECT_TRUE(
        std::equal(single.begin(), single.end(), output.begin() + static_cast<std::ptrdiff_t>(output.size() / 2)));
}

TEST(Session, ComputesOnceWhatReadsNoPicture) {
    for (Device const device : {Device::cpu, Device::reference}) {
        Session session(Engine(std::make_shared<Engine::Data>(small_info(), graph_with_positions(),
                                                              CompileOptions{.device = device, .threads = 2})));
        auto const first = run_at(session, {2, 9, 7});
        session.run();
        EXPECT_TRUE(std::ranges::equal(first, session.output())) << "a run overwrote it";
        for (OpProfile const& op : session.profile(1)) EXPECT_NE(op.op, "SinePosition");
        session.run_layers([](LayerValue const& layer) { EXPECT_NE(layer.op, "SinePosition"); });
        EXPECT_NE(run_at(session, {2, 7, 9}), first);
        EXPECT_EQ(run_at(session, {2, 9, 7}), first) << "another size left something behind";
    }
}

TEST(Session, RefusesToCropBeyondThePicture) {
    Graph graph;
    auto owner = std::make_shared<std::vector<float> const>(std::vector<float>{1, 1, 1});
    auto const scale = graph.add_constant("scale", {{3}, owner->data(), owner});
    auto const x = graph.add_input("input", {Dim(Symbol::n), Dim(Symbol::h), Dim(Symbol::w), 3});
    graph.add_output("output", graph.add(Crop{Dim(8), Dim(Symbol::w)}, {x, scale, scale}, "cut"));
    Session session(Engine(std::make_shared<Engine::Data>(small_info(), graph, CompileOptions{.threads = 1})));
    EXPECT_NO_THROW(session.prepare({1, 8, 4}));
    EXPECT_THROW(session.prepare({1, 7, 4}), Error);
}

TEST(Session, AddsAPackedInputToPaddedPixels) {
    Graph graph;
    auto const x = graph.add_input("input", {Dim(Symbol::n), Dim(Symbol::h), Dim(Symbol::w), 28});
    auto const active = graph.add(Activate{Activation::leaky_relu, 0.5F}, {x}, "");
    auto const twice = graph.add(Add{}, {active, x}, "");
    graph.add_output("output", graph.add(Activate{Activation::leaky_relu, 0.25F}, {twice}, ""));
    for (Device const device : {Device::cpu, Device::reference}) {
        Session session(Engine(
            std::make_shared<Engine::Data>(small_info(), graph, CompileOptions{.device = device, .threads = 2})));
        auto const y = run_at(session, {1, 5, 7});
        auto const input = session.input();
        for (std::size_t i = 0; i < y.size(); ++i) ASSERT_EQ(y[i], 2 * input[i]) << i;  // the noise is not negative
    }
}

TEST(Session, AllocatesNothingInRun) {
    for (Device const device : {Device::cpu, Device::reference}) {
        Session session(small_engine({.device = device, .threads = 2}));
        session.prepare({1, 16, 20});
        fill_input(session);
        session.run();
        long const before = test::allocations();
        session.run();
        EXPECT_EQ(test::allocations(), before);
    }
}

TEST(Session, RefusesSizesBeyondAnyPictureAndStaysUsable) {
    Session session(small_engine());
    auto const before = run_at(session, {1, 8, 8});
    EXPECT_THROW(session.prepare({1, 0, 8}), Error);
    EXPECT_THROW(session.prepare({1, std::int64_t{1} << 40, 8}), Error);
    EXPECT_THROW(session.prepare({1 << 20, 1 << 20, 1 << 20}), Error);
    EXPECT_EQ(before, run_at(session, {1, 8, 8}));
}

TEST(Session, ReportsMemoryThatCannotBeHadAndStaysUsable) {
    Session session(small_engine());
    try {
        session.prepare({1, 1 << 18, 1 << 18});  // several terabytes
        FAIL() << "should have thrown";
    } catch (Error const& error) {
        EXPECT_EQ(error.kind(), ErrorKind::out_of_memory);
    }
    EXPECT_FALSE(run_at(session, {1, 8, 8}).empty());
}

TEST(Engine, KeepsProgramsByTheirMemory) {
    Engine const engine = small_engine({.threads = 1});
    std::weak_ptr<Program const> const first = engine.data().program({1, 8, 8});
    EXPECT_LT(first.lock()->own_bytes * 100, engine.data().program_bytes)
        << "for a folder of differently sized pictures";
    engine.data().program_bytes = first.lock()->own_bytes * 7 / 2;  // beside the last one
    for (std::int64_t width = 9; width < 12; ++width) static_cast<void>(engine.data().program({1, 8, width}));
    EXPECT_FALSE(first.expired());
    static_cast<void>(engine.data().program({1, 8, 12}));
    EXPECT_TRUE(first.expired());
}

TEST(Session, KeepsFewGraphsOfAnOnnxFile) {
    Engine const engine = Engine::open(VITRUM_TEST_DATA "/onnx/convolutions_open.onnx", {.threads = 1});
    ASSERT_NE(engine.data().onnx, nullptr) << "a graph for each size";
    Session session(engine);
    session.prepare({1, 16, 22});  // the largest first: an arena that grows drops what is bound
    std::weak_ptr<Graph const> const first = engine.data().program({1, 16, 22})->graph;
    for (std::int64_t width = 21; width > 18; --width) session.prepare({1, 16, width});
    EXPECT_FALSE(first.expired());
    session.prepare({1, 16, 18});
    EXPECT_TRUE(first.expired());
}

TEST(Engine, ServesSessionsOnSeveralThreadsAtOnce) {
    Engine const engine = small_engine({.threads = 1});
    std::vector<std::vector<float>> results(4);
    {
        std::vector<std::jthread> threads;
        for (auto& result : results) {
            threads.emplace_back([&engine, &result] {
                Session session(engine);
                for (std::int64_t size = 4; size < 20; size += 5) result = run_at(session, {1, size, size});
            });
        }
    }
    for (auto const& result : results) EXPECT_EQ(result, results.front());
}

TEST(Engine, PlansMemoryThatGrowsWithThePictureNotWithTheDepth) {
    Engine const engine = small_engine();
    auto const bytes = engine.arena_bytes({1, 256, 256});
    // At most three maps of features and the ×2 pictures are ever alive together, however many layers follow.
    std::size_t const map = std::size_t{256} * 256 * 16 * sizeof(float);
    EXPECT_LT(bytes, 6 * map);
}

TEST(Engine, RefusesAnInstructionSetThatTheMachineLacks) {
    EXPECT_THROW(small_engine({.isa = "NoSuchIsa"}), Error);
}

TEST(Engine, RefusesAnAbsurdNumberOfThreads) {
    EXPECT_THROW(small_engine({.threads = 100000}), Error);
}

TEST(Engine, ExplainsWhichKernelRunsEachOperator) {
    auto const choices = small_engine().explain({1, 16, 16});
    EXPECT_EQ(choices.size(), small_graph().nodes.size());
    for (auto const& choice : choices) EXPECT_FALSE(choice.kernel.empty()) << choice.op;
}

}  // namespace
}  // namespace vitrum
