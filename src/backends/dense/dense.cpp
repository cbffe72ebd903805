// SPDX-License-Identifier: Apache-2.0
#include "elements.h"
#include "run.h"

namespace vitrum::dense {

std::size_t workspace_bytes(Dense const& op, Problem const& problem, int threads) {
    auto const* const top = std::get_if<TopK>(&op.op);
    return top == nullptr ? 0 : workspace_bytes(*top, problem, threads);
}

std::vector<int> reusable_inputs(Dense const& op, Problem const& problem) {
    std::int64_t const count = problem.outputs[0].count();
    auto const is_whole = [&](std::size_t i) { return problem.inputs[i].count() == count; };  // else it is repeated
    auto const* const moved = std::get_if<Restride>(&op.op);
    bool const is_reshape =
        moved != nullptr && moved->offset == 0 && moved->strides == moved->shape.contiguous_strides();
    bool const is_elementwise = std::holds_alternative<Unary>(op.op) || std::holds_alternative<Binary>(op.op);
    std::vector<int> reusable;
    for (std::size_t i = 0; (is_reshape || is_elementwise) && i < problem.inputs.size(); ++i) {
        if (is_whole(i)) reusable.push_back(static_cast<int>(i));
    }
    return reusable;
}

void run(Dense const& op, Launch const& launch, Precision precision) {
    std::visit([&](auto const& o) { run(o, launch, precision); }, op.op);
}

// Rows of one picture: a line of C planes becomes a line of pixels, or the other way, in blocks that a cache holds.

void run(ToPixels const&, Launch const& launch) {
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    auto const* const x = reinterpret_cast<float const*>(launch.inputs[0].data);
    launch.threads->parallel_for(y.n * y.h, [&](std::int64_t row, int) {
        float const* const from = x + (row / y.h * y.c * y.h + row % y.h) * y.w;
        float* const to = y.pixel(row / y.h, row % y.h, 0);
        for (std::int64_t c = 0; c < y.c; ++c) {
            for (std::int64_t column = 0; column < y.w; ++column)
                to[column * y.stride + c] = from[c * y.h * y.w + column];
        }
    });
}

void run(ToDense const&, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[0]);
    auto* const y = reinterpret_cast<float*>(launch.outputs[0].data);
    launch.threads->parallel_for(x.n * x.h, [&](std::int64_t row, int) {
        float* const to = y + (row / x.h * x.c * x.h + row % x.h) * x.w;
        float const* const from = x.pixel(row / x.h, row % x.h, 0);
        for (std::int64_t c = 0; c < x.c; ++c) {
            for (std::int64_t column = 0; column < x.w; ++column)
                to[c * x.h * x.w + column] = from[column * x.stride + c];
        }
    });
}

}  // namespace vitrum::dense
