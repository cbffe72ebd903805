// SPDX-License-Identifier: Apache-2.0
#include "dense.cuh"

#include "../general_kernels.h"

namespace vitrum::cuda {

void DenseKernel::launch(Dense const& op, Launch const& launch) {
    std::visit([&](auto const& o) { run(o, launch); }, op.op);
}

}  // namespace vitrum::cuda
