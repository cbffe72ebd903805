// SPDX-License-Identifier: Apache-2.0
#include "../fused_kernels.h"
#include "device.h"
#include "shift_group.cuh"

namespace vitrum::cuda::hopper {
namespace {

template <class W, class L>
__global__ void __launch_bounds__(L::kThreads, 1) shift_mlp_kernel(__grid_constant__ ShiftArguments const a) {
    auto& bytes = dynamic_shared<std::byte[L::kBytes]>();
    std::uint32_t const shared = shared_address(bytes);
    typename L::First const first(shared, shared + L::kBarriers);
    typename L::Second const second(shared + L::kSecond, shared + L::kBarriers + L::First::kBarrierBytes);
    let_next_start();
    if (threadIdx.x == 0) {
        first.init(L::kGroups);
        second.init(L::kGroups);
        publish_barriers();
    }
    auto* const biases = reinterpret_cast<float*>(&bytes[L::kBiases]);
    for (int i = static_cast<int>(threadIdx.x); i < L::kBiasFloats; i += L::kThreads) {
        biases[i] = i < W::kHidden ? a.bias1[i] : a.bias2[i - W::kHidden];
    }
    __syncthreads();
    int const group = __shfl_sync(0xFFFFFFFFU, static_cast<int>(threadIdx.x) / kGroup, 0);
    int const step = static_cast<int>(gridDim.x) * L::kGroups, rounds = (a.tiles + step - 1) / step;
    if (group == L::kGroups) {
        give_registers<kCopyRegisters>();
        if (threadIdx.x % kGroup == 0) first.fill(a.fc1, rounds);
        if (threadIdx.x % kGroup == 32) second.fill(a.fc2, rounds);
        return;
    }
    take_registers<compute_registers(L::kGroups)>();
    await_previous();
    ShiftGroup<W, L> own(a, bytes, first, second, group);
    for (int round = 0; round < rounds; ++round) {
        // The last round, which has fewer tiles, is spread over the blocks.
        int const tile = round * step + group * static_cast<int>(gridDim.x) + static_cast<int>(blockIdx.x);
        if (L::First::kStay && tile >= a.tiles) return;
        own.run(a.grid.template place<ShiftTile>(min(tile, a.tiles - 1)), tile < a.tiles);
    }
}

template <class W, int kGroups, int kFirstSlots, int kSecondSlots>
void run(ShiftArguments const& arguments, Launch const& launch) {
    using L = ShiftLayout<W, kGroups, kFirstSlots, kSecondSlots>;
    int const blocks = std::min(multiprocessors(), arguments.tiles);
    start_shared<Start::early>(launch.stream, shift_mlp_kernel<W, L>, blocks, L::kThreads, L::kBytes, arguments);
}

}  // namespace
}  // namespace vitrum::cuda::hopper

namespace vitrum::cuda {

void HopperShiftMlpKernel::launch(ShiftMlp const&, Launch const& launch) {
    using Op = ShiftMlp;
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]);
    TileGrid const grid(x, hopper::ShiftTile::kRows, hopper::ShiftTile::kColumns);
    hopper::ShiftArguments const arguments{.x = x,
                                           .y = Pixels(launch.outputs[0]),
                                           .residual = Pixels(in[Op::kResidual]),
                                           .fc1 = launch.packed[0],
                                           .fc2 = launch.packed[1],
                                           .bias1 = floats(in[Op::kFc1Bias]),
                                           .bias2 = floats(in[Op::kFc2Bias]),
                                           .grid = grid,
                                           .tiles = static_cast<int>(grid.count())};
    VITRUM_ASSERT(x.vector && arguments.y.vector && (arguments.residual.data == nullptr || arguments.residual.vector));
    using Light = ShiftLight;
    // Shared memory that weights leave is first-level cache, through which loads come: a second slot costs 2%.
    if (x.c == Light::kChannels) hopper::run<Light, 4, Light::kChunks, Light::kChunks>(arguments, launch);
    else hopper::run<ShiftFull, 2, 2, 1>(arguments, launch);
}

}  // namespace vitrum::cuda
