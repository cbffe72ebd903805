// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../kernels/device.cuh"

namespace vitrum::cuda::hopper {

/// y = W·x + bias + residual at each pixel, for at most 64 channels, by fours. x may be y: a warp reads its pixels
/// before it writes them.
struct PixelProduct {
    Pixels x, y;
    Matrix residual;
    std::byte const* weights;  ///< see PixelOperand
    float const* bias;         ///< null: none
};

void launch_pixel_product(void* stream, PixelProduct const& product);

}  // namespace vitrum::cuda::hopper
