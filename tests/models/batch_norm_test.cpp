// SPDX-License-Identifier: Apache-2.0
#include "models/batch_norm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "vitrum/error.h"

namespace vitrum {
namespace {

/// A convolution of one channel to two, 2 × 1, and a batch norm.
struct Layer {
    std::map<std::string, std::vector<float>> values = {
        {"conv.weight", {1, 2, 3, 4}}, {"conv.bias", {0.5F, -0.5F}}, {"bn.weight", {2, 3}},
        {"bn.bias", {10, 20}},         {"bn.running_mean", {1, -1}}, {"bn.running_var", {4 - 1e-5F, 0.25F}},
    };

    [[nodiscard]] ConvConstants fold(ConvBias bias, Weights::Mode mode = Weights::Mode::materialise) const {
        Checkpoint checkpoint;
        for (auto const& [name, data] : values) {
            auto const count = static_cast<std::int64_t>(data.size());
            Shape const shape = count == 4 ? Shape{2, 1, 2, 1} : Shape{count};
            checkpoint.tensors.push_back(
                {name,
                 {reinterpret_cast<std::byte const*>(data.data()), DType::f32, shape, shape.contiguous_strides()}});
        }
        auto const dict = StateDict::candidates(checkpoint).back();
        Weights weights(dict, mode);
        return get_conv_with_batch_norm(weights, "conv", {2, 1, 2, 1}, bias, "bn");
    }
};

TEST(BatchNorm, IsFoldedIntoWeightAndBias) {
    auto const folded = Layer().fold(ConvBias::present);
    double const second = 3 / std::sqrt(0.25 + 1e-5);
    EXPECT_FLOAT_EQ(folded.weight.data[0], 1);  // 2 / sqrt(4)
    EXPECT_FLOAT_EQ(folded.weight.data[1], 2);
    EXPECT_FLOAT_EQ(folded.weight.data[2], static_cast<float>(3 * second));
    EXPECT_FLOAT_EQ(folded.weight.data[3], static_cast<float>(4 * second));
    EXPECT_FLOAT_EQ(folded.bias.data[0], 9.5F);  // (0.5 − 1) · 1 + 10
    EXPECT_FLOAT_EQ(folded.bias.data[1], static_cast<float>(0.5 * second + 20));
}

TEST(BatchNorm, GivesABiasToAConvolutionWithoutOne) {
    auto const folded = Layer().fold(ConvBias::absent);
    EXPECT_FLOAT_EQ(folded.bias.data[0], 9);  // −1 · 1 + 10
}

TEST(BatchNorm, HasShapesWithoutReadingAWeight) {
    auto const folded = Layer().fold(ConvBias::present, Weights::Mode::shapes_only);
    EXPECT_EQ(folded.weight.shape, (Shape{2, 1, 2, 1}));
    EXPECT_EQ(folded.bias.shape, Shape{2});
    EXPECT_EQ(folded.weight.data, nullptr);
}

TEST(BatchNorm, RefusesANegativeVariance) {
    Layer layer;
    layer.values["bn.running_var"][1] = -0.5F;
    try {
        (void)layer.fold(ConvBias::present);
        FAIL();
    } catch (Error const& error) {
        EXPECT_NE(std::string(error.what()).find("bn.running_var[1]"), std::string::npos) << error.what();
    }
}

}  // namespace
}  // namespace vitrum
