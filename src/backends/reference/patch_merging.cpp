// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kernels.h"
#include "math.h"

namespace vitrum::reference {
namespace {

using Op = PatchMerging;

/// One output pixel's scratch: the four pixels' channels in float32 as they come, then normalised in float64, then
/// the result.
struct Scratch {
    double* normed;   ///< [4C]
    double* result;   ///< [O]
    float* gathered;  ///< [4C]

    static std::int64_t doubles(std::int64_t c, std::int64_t o) { return 4 * c + o + 2 * c; }
    Scratch(double* start, std::int64_t c, std::int64_t o)
        : normed(start), result(start + 4 * c), gathered(reinterpret_cast<float*>(result + o)) {}
};

}  // namespace

std::vector<Packing> PatchMergingKernel::packings(Op const&, Problem const& problem) {
    return {panel_packing(Op::kWeight, problem.inputs[Op::kWeight])};
}

std::size_t PatchMergingKernel::workspace_bytes(Op const&, Problem const& problem, int threads) {
    std::int64_t const needed = Scratch::doubles(problem.inputs[Op::kX][3], problem.inputs[Op::kWeight][0]);
    return static_cast<std::size_t>(threads) * scratch_doubles(needed) * sizeof(double);
}

void PatchMergingKernel::launch(Op const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[Op::kX]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    launch.threads->parallel_for(y.pixels(), [&](std::int64_t pixel, int worker) {
        Scratch const s(scratch_of(launch, worker, Scratch::doubles(x.c, y.c)), x.c, y.c);
        std::fill_n(s.gathered, 4 * x.c, 0.0F);
        for (std::int64_t part = 0; part < 4; ++part) {
            std::int64_t const row = pixel / y.w % y.h * 2 + part % 2;
            std::int64_t const column = pixel % y.w * 2 + part / 2;
            if (row >= x.h || column >= x.w) continue;
            std::copy_n(x.pixel(pixel / (y.h * y.w), row, column), x.c, s.gathered + part * x.c);
        }
        layer_norm(s.gathered, floats(launch.inputs[Op::kNormWeight]), floats(launch.inputs[Op::kNormBias]), 4 * x.c,
                   op.norm_epsilon, s.normed);
        Linear{doubles(launch.packed[0]), nullptr, 4 * x.c, y.c}(s.normed, 1, s.result);
        std::transform(s.result, s.result + y.c, y.data + pixel * y.stride,
                       [](double value) { return static_cast<float>(value); });
    });
}

}  // namespace vitrum::reference
