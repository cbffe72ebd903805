// SPDX-License-Identifier: Apache-2.0
#include "models/batch_norm.h"

#include <cmath>

#include "base/buffer.h"
#include "base/check.h"

namespace vitrum {
namespace {

std::shared_ptr<Buffer> allocate(Constant& constant) {
    auto buffer = std::make_shared<Buffer>(static_cast<std::size_t>(constant.shape.count()) * sizeof(float));
    constant.data = buffer->floats();
    constant.owner = buffer;
    return buffer;
}

}  // namespace

ConvConstants get_conv_with_batch_norm(Weights& weights, std::string const& conv, Shape const& shape, ConvBias bias,
                                       std::string const& norm, double epsilon) {
    Shape const rows{shape[0]};
    Constant const weight = weights.get(conv + ".weight", shape);
    Constant const offset = bias == ConvBias::present ? weights.get(conv + ".bias", rows) : Constant{};
    Constant const gamma = weights.get(norm + ".weight", rows);
    Constant const beta = weights.get(norm + ".bias", rows);
    Constant const mean = weights.get(norm + ".running_mean", rows);
    Constant const variance = weights.get(norm + ".running_var", rows);
    ConvConstants folded{{shape, nullptr, nullptr}, {rows, nullptr, nullptr}};
    // Shapes only, or something is missing and will be reported.
    for (Constant const* c : {&weight, &gamma, &beta, &mean, &variance}) {
        if (c->data == nullptr) return folded;
    }
    auto const new_weight = allocate(folded.weight);
    auto const new_bias = allocate(folded.bias);
    std::int64_t const per_row = shape.count() / shape[0];
    for (std::int64_t o = 0; o < shape[0]; ++o) {
        if (!(variance.data[o] + epsilon > 0)) {
            fail("{}.running_var[{}] is {}: no variance is negative; the checkpoint is damaged", norm, o,
                 variance.data[o]);
        }
        // scale · (w · x + b − mean) + β in float64, rounded once.
        double const scale = gamma.data[o] / std::sqrt(variance.data[o] + epsilon);
        double const b = offset.data == nullptr ? 0.0 : offset.data[o];
        new_bias->floats()[o] = static_cast<float>((b - mean.data[o]) * scale + beta.data[o]);
        for (std::int64_t i = o * per_row; i < (o + 1) * per_row; ++i) {
            new_weight->floats()[i] = static_cast<float>(weight.data[i] * scale);
        }
    }
    return folded;
}

}  // namespace vitrum
