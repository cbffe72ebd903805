// SPDX-License-Identifier: Apache-2.0
// Numbers as steps of a scale and back: https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html.
#include "elements.h"
#include "run.h"

namespace vitrum::dense {
namespace {

/// x's run i with the scales and zero points that go with it.
Loop<3> loop_over(Launch const& launch) {
    Shape const& shape = launch.outputs[0].shape;
    return {shape,
            {shape.contiguous_strides(), repeating_strides(launch.inputs[1].shape, shape),
             repeating_strides(launch.inputs[2].shape, shape)}};
}

template <class C>
struct Run {
    C numbers[kRun], scales[kRun], zeros[kRun];

    Run(Launch const& launch, Loop<3> const& loop, std::int64_t count, std::array<std::int64_t, 3> const& from) {
        C* const to[] = {numbers, scales, zeros};
        for (std::size_t i = 0; i < 3; ++i) {
            TensorView const& x = launch.inputs[i];
            load(at(x, from[i]), x.dtype, loop.inner_stride(static_cast<int>(i)), count, to[i]);
        }
    }
};

/// Of at most 2²² steps: beyond 2²³ float32 has whole numbers only, so that the sum is rounded to one, ties to even.
float whole(float x) {
    constexpr float kWhole = 0x1.8p23F;
    return (x + kWhole) - kWhole;
}

}  // namespace

void run(QuantizeLinear const& op, Launch const& launch, Precision) {
    TensorView const& y = launch.outputs[0];
    Loop<3> const loop = loop_over(launch);
    auto const range = step_range(y.dtype);
    loop.run(*launch.threads, [&](std::int64_t first, std::int64_t count, std::array<std::int64_t, 3> const& from) {
        Run<float> r(launch, loop, count, from);
        for (std::int64_t i = 0; i < count; ++i) {
            float v = r.numbers[i] / r.scales[i];
            if (range) {
                // Zero points are whole, so that the range may be cut off first.
                float const low = range->low - r.zeros[i], high = range->high - r.zeros[i];
                v = whole(v < low ? low : v > high ? high : v);
            }
            r.numbers[i] = v + r.zeros[i];
        }
        store(r.numbers, count, y.dtype, at(y, first), {.saturates = op.saturates});
    });
}

void run(DequantizeLinear const&, Launch const& launch, Precision) {
    TensorView const& y = launch.outputs[0];
    Loop<3> const loop = loop_over(launch);
    auto const run_in = [&]<class C>(C) {
        loop.run(*launch.threads, [&](std::int64_t first, std::int64_t count, std::array<std::int64_t, 3> const& from) {
            Run<C> const r(launch, loop, count, from);
            float numbers[kRun];
            for (std::int64_t i = 0; i < count; ++i) {
                numbers[i] = static_cast<float>(r.numbers[i] - r.zeros[i]) * static_cast<float>(r.scales[i]);
            }
            store(numbers, count, y.dtype, at(y, first));
        });
    };
    launch.inputs[0].dtype == DType::i32 ? run_in(double{}) : run_in(float{});  // float32 lacks large integers
}

}  // namespace vitrum::dense
