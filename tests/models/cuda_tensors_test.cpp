// SPDX-License-Identifier: Apache-2.0
// Runs on tensors in a GPU's memory against runs by way of the host's: the same bits.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "caller.h"
#include "cuda_data.h"

namespace vitrum {
namespace {

constexpr Sizes kSizes{1, 32, 40};

class CudaTensors : public testing::TestWithParam<std::string> {
protected:
    void SetUp() override {
        if (!test::why_no_gpu().empty()) GTEST_SKIP() << test::why_no_gpu();
    }
};

std::vector<std::vector<float>> noise(std::vector<TensorInfo> const& infos) {
    std::mt19937 random(7);
    std::uniform_real_distribution<float> one(0, 1);
    std::vector<std::vector<float>> tensors;
    for (TensorInfo const& info : infos) {
        std::int64_t count = 1;
        for (std::int64_t const extent : info.shape) count *= extent;
        std::ranges::generate(tensors.emplace_back(static_cast<std::size_t>(count)), [&] { return one(random); });
    }
    return tensors;
}

TEST_P(CudaTensors, GiveWhatTheHostGetsOnEveryRun) {
    Engine const engine = test::open_on_gpu(GetParam(), 0, Precision::fp16);
    Session session(engine);
    // Networks of one square only refuse others.
    Sizes const sizes =
        engine.info().kind == Task::spectral && engine.declared_inputs().size() > 1 ? Sizes{1, 32, 32} : kSizes;
    session.prepare(sizes);
    auto const in_infos = engine.inputs(sizes), out_infos = engine.outputs(sizes);
    auto const inputs = noise(in_infos);
    for (std::size_t i = 0; i < inputs.size(); ++i) std::ranges::copy(inputs[i], session.input(i).begin());
    session.run();

    test::Caller caller(engine);
    std::vector<DeviceTensor> in, out;
    for (std::size_t i = 0; i < inputs.size(); ++i) in.push_back(caller.give(inputs[i], in_infos[i].shape));
    for (TensorInfo const& info : out_infos) out.push_back(caller.room_for(info.shape));
    for (int run = 0; run < 5; ++run) {
        if (run < 4) session.run(in, out, caller.stream());
        else EXPECT_EQ(session.run_checked(in, out, caller.stream()), Outcome::fine);
        for (std::size_t i = 0; i < out.size(); ++i) {
            auto const got = caller.take(out[i], out_infos[i].shape);
            EXPECT_TRUE(std::ranges::equal(got, session.output(i))) << out_infos[i].name << ", run " << run;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Data, CudaTensors, testing::ValuesIn(test::cases()), [](auto const& at) { return at.param; });

}  // namespace
}  // namespace vitrum
