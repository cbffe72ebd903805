// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

#include "ir/dim.h"

namespace vitrum {

// One plain struct per operator. Activations are float32 [N, H, W, C]; weights keep PyTorch's layouts.
// `enum Input` names the operator's inputs in order; those marked optional may be absent (kNone).
// The scalar kernels in backends/reference define each operator's meaning.

enum class Activation : std::uint8_t { none, leaky_relu, gelu };

/// y = pixel_shuffle(activation(conv(x, weight) + bias) + residual). H × W become ceil(H / stride) × ceil(W / stride);
/// output pixel i reads from i · stride − (kernel − stride + 1) / 2 on, and zeros outside. With whole strides that is
/// PyTorch's 3×3 padding 1 (stride 1 or 2), 7×7 stride 2 padding 3, 4×4 stride 2 padding 1, 1×1 stride 2 padding 0, and
/// patch embedding, 4×4 stride 4 padding 0.
struct Conv2d {
    static constexpr std::string_view kName = "Conv2d";
    enum Input { kX, kWeight, kBias, kResidual, kInputs };  // bias and residual optional
    int kernel = 3;                                         ///< square
    int stride = 1;
    Activation activation = Activation::none;
    float negative_slope = 0.0F;  ///< of leaky_relu
    int pixel_shuffle = 1;  ///< r: [N, H, W, C·r²] → [N, H·r, W·r, C], PyTorch's channel order c·r² + i·r + j
    bool operator==(Conv2d const&) const = default;
    /// Rows above and columns left of the picture that output pixel 0 reads.
    [[nodiscard]] constexpr int padding() const { return kernel > stride ? (kernel - stride + 1) / 2 : 0; }
};

/// y = (x − mean) / sqrt(var + epsilon) · weight + bias over the channels of each pixel (Ba et al. 2016).
struct LayerNorm {
    static constexpr std::string_view kName = "LayerNorm";
    enum Input { kX, kWeight, kBias, kInputs };
    float epsilon = 1e-5F;
    bool operator==(LayerNorm const&) const = default;
};

/// Shifted-window self-attention (Liu et al. 2021, eq. 4) as one operator:
/// y = residual + proj(softmax(scale · q·kᵀ + bias + mask) · v), with q, k, v = qkv(norm(x)) inside windows of
/// window × window pixels. A shift s reads windows of the picture rolled by (−s, −s) and writes them back in
/// place; pairs of pixels that the roll brought together from different regions get −100 added (the original's
/// constant, not −∞). Norm (both or none) and residual are optional. H and W are multiples of window.
struct WindowAttention {
    static constexpr std::string_view kName = "WindowAttention";
    enum Input {
        kX,
        kQkvWeight,
        kQkvBias,
        kBiasTable,
        kProjWeight,
        kProjBias,
        kNormWeight,
        kNormBias,
        kResidual,
        kInputs
    };
    // qkv_weight [3C, C] (rows: q of all heads, then k, then v), qkv_bias [3C] optional,
    // bias_table [(2·window − 1)², heads], proj_weight [C, C], proj_bias [C]
    int heads = 1;
    int window = 8;
    int shift = 0;
    float scale = 1.0F;  ///< on q·kᵀ
    float norm_epsilon = 1e-5F;
    bool operator==(WindowAttention const&) const = default;
};

/// y = residual + fc2(gelu(fc1(norm(x)))), exact (erf) GELU. Norm (both or none) and residual are optional.
struct Mlp {
    static constexpr std::string_view kName = "Mlp";
    enum Input { kX, kFc1Weight, kFc1Bias, kFc2Weight, kFc2Bias, kNormWeight, kNormBias, kResidual, kInputs };
    // fc1_weight [hidden, C], fc2_weight [C, hidden]
    float norm_epsilon = 1e-5F;
    bool operator==(Mlp const&) const = default;
};

/// y = a + b
struct Add {
    static constexpr std::string_view kName = "Add";
    enum Input { kA, kB, kInputs };
    bool operator==(Add const&) const = default;
};

/// y = activation(x), elementwise.
struct Activate {
    static constexpr std::string_view kName = "Activate";
    enum Input { kX, kInputs };
    Activation activation = Activation::leaky_relu;
    float negative_slope = 0.0F;
    bool operator==(Activate const&) const = default;
};

/// [N, H, W, C·r²] → [N, H·r, W·r, C], channel c·r² + i·r + j to offset (i, j) (Shi et al. 2016).
struct PixelShuffle {
    static constexpr std::string_view kName = "PixelShuffle";
    enum Input { kX, kInputs };
    int factor = 2;
    bool operator==(PixelShuffle const&) const = default;
};

/// Each pixel repeated factor × factor times.
struct ResizeNearest {
    static constexpr std::string_view kName = "ResizeNearest";
    enum Input { kX, kInputs };
    int factor = 2;
    bool operator==(ResizeNearest const&) const = default;
};

/// Extends right and bottom to the next multiple by reflection without repeating the edge. Where the picture is
/// smaller than the padding the reflection goes on back and forth (index folded with period 2·(n − 1)); a side
/// of one pixel repeats it. Each channel then becomes x · scale[c] + shift[c].
struct ReflectPad {
    static constexpr std::string_view kName = "ReflectPad";
    enum Input { kX, kScale, kShift, kInputs };
    int multiple = 8;
    bool operator==(ReflectPad const&) const = default;
};

/// The top left height × width pixels, each channel as x · scale[c] + shift[c].
struct Crop {
    static constexpr std::string_view kName = "Crop";
    enum Input { kX, kScale, kShift, kInputs };
    Dim height, width;
    bool operator==(Crop const&) const = default;
};

using Op =
    std::variant<Conv2d, LayerNorm, WindowAttention, Mlp, Add, Activate, PixelShuffle, ResizeNearest, ReflectPad, Crop>;

[[nodiscard]] inline std::string_view name_of(Op const& op) {
    return std::visit([](auto const& o) { return o.kName; }, op);
}

}  // namespace vitrum
