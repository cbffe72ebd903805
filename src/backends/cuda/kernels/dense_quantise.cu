// SPDX-License-Identifier: Apache-2.0
// Numbers as steps of a scale and back: https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html.
#include "dense.cuh"

namespace vitrum::cuda {
namespace {

/// x with the scales and zero points that go with it.
struct Operands {
    Tensor x, scale, zero;
    Walk<3> walk;

    explicit Operands(Launch const& launch) : x(launch.inputs[0]), scale(launch.inputs[1]), zero(launch.inputs[2]) {
        Shape const& shape = launch.outputs[0].shape;
        Shape const strides[] = {shape.contiguous_strides(), repeating_strides(launch.inputs[1].shape, shape),
                                 repeating_strides(launch.inputs[2].shape, shape)};
        for (int i = 0; i < shape.rank(); ++i) {
            walk.append(shape[i], {strides[0][i], strides[1][i], strides[2][i]});
        }
    }
};

struct QuantizeElement {
    Operands in;
    Tensor y;
    bool is_whole;
    dense::StepRange range;
    Narrowing how;

    __device__ void operator()(std::int64_t i) const {
        std::int64_t from[3];
        in.walk.offsets(i, from);
        float const zero = in.zero.load<float>(from[2]);
        float v = in.x.load<float>(from[0]) / in.scale.load<float>(from[1]);
        if (is_whole) v = std::nearbyint(v);
        v += zero;
        if (is_whole) v = v < range.low ? range.low : v > range.high ? range.high : v;
        y.store(i, v, how);
    }
};

/// C holds every x exactly.
template <class C>
struct DequantizeElement {
    Operands in;
    Tensor y;

    __device__ void operator()(std::int64_t i) const {
        std::int64_t from[3];
        in.walk.offsets(i, from);
        auto const steps = static_cast<float>(in.x.load<C>(from[0]) - in.zero.load<C>(from[2]));
        y.store(i, steps * in.scale.load<float>(from[1]));
    }
};

}  // namespace

void run(dense::QuantizeLinear const& op, Launch const& launch) {
    TensorView const& y = launch.outputs[0];
    auto const range = dense::step_range(y.dtype);
    QuantizeElement const element{Operands(launch),
                                  Tensor(y),
                                  range.has_value(),
                                  range.value_or(dense::StepRange{0, 0}),
                                  {.saturates = op.saturates}};
    for_each(launch.stream, y.shape.count(), element);
}

void run(dense::DequantizeLinear const&, Launch const& launch) {
    TensorView const& y = launch.outputs[0];
    bool const is_wide = launch.inputs[0].dtype == DType::i32;
    if (is_wide)
        return for_each(launch.stream, y.shape.count(), DequantizeElement<double>{Operands(launch), Tensor(y)});
    for_each(launch.stream, y.shape.count(), DequantizeElement<float>{Operands(launch), Tensor(y)});
}

}  // namespace vitrum::cuda
