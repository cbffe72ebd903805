// SPDX-License-Identifier: Apache-2.0
// Each number from the numbers at its own place, four channels at a time.
#include "../general_kernels.h"
#include "device.cuh"

namespace vitrum::cuda {
namespace {

struct AddQuad {
    Pixels y;
    Matrix a, b;
    std::int64_t b_pixels;  ///< of b, repeated

    __device__ void operator()(std::int64_t i) const {
        Quotient const at = divide(i, y.quads());
        int const c = static_cast<int>(at.rest) * 4, left = y.c - c;
        float const* const other = b.at(b_pixels == 0 ? at.whole : divide(at.whole, b_pixels).rest);
        float4 const sum = load4(a.at(at.whole) + c, left, a.vector) + load4(other + c, left, b.vector);
        store4(y.at(at.whole) + c, sum, left, y.vector);
    }
};

struct ActivateQuad {
    Pixels y;
    Matrix x;
    Activation activation;
    float negative_slope;

    __device__ void operator()(std::int64_t i) const {
        Quotient const at = divide(i, y.quads());
        int const c = static_cast<int>(at.rest) * 4, left = y.c - c;
        float4 const v = load4(x.at(at.whole) + c, left, x.vector);
        store4(y.at(at.whole) + c,
               each(v, [&](float value, int) { return activate(activation, negative_slope, value); }), left, y.vector);
    }
};

/// A table [rows, C] for each picture.
struct CopyTable {
    Pixels y;
    float const* table;
    std::int64_t rows;

    __device__ void operator()(std::int64_t i) const {
        Quotient const at = divide(i, y.quads());
        int const c = static_cast<int>(at.rest) * 4, left = y.c - c;
        store4(y.at(at.whole) + c, load4(table + divide(at.whole, rows).rest * y.c + c, left, false), left, y.vector);
    }
};

}  // namespace

template <>
void AddKernel::launch(Add const&, Launch const& launch) {
    Pixels const y(launch.outputs[0]);
    AddQuad const add{y, Pixels(launch.inputs[Add::kA]), Pixels(launch.inputs[Add::kB]), 0};
    for_each(launch.stream, y.count() * y.quads(), add);
}

template <>
void AddPositionKernel::launch(AddPosition const&, Launch const& launch) {
    Pixels const y(launch.outputs[0]), position(launch.inputs[AddPosition::kPosition]);
    AddQuad const add{y, Pixels(launch.inputs[AddPosition::kX]), position, position.count()};
    for_each(launch.stream, y.count() * y.quads(), add);
}

template <>
void ActivateKernel::launch(Activate const& op, Launch const& launch) {
    Pixels const y(launch.outputs[0]);
    ActivateQuad const quad{y, Pixels(launch.inputs[Activate::kX]), op.activation, op.negative_slope};
    for_each(launch.stream, y.count() * y.quads(), quad);
}

template <>
void TokensKernel::launch(Tokens const&, Launch const& launch) {
    Pixels const y(launch.outputs[0]);
    for_each(launch.stream, y.count() * y.quads(), CopyTable{y, floats(launch.inputs[Tokens::kTable]), y.w});
}

}  // namespace vitrum::cuda
