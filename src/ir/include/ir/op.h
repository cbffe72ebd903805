// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <variant>

#include "ir/dense_op.h"
#include "ir/dim.h"

namespace vitrum {

// One plain struct per operator. Activations are float32 [N, H, W, C]; weights keep PyTorch's layouts.
// `enum Input` names the operator's inputs in order; those marked optional may be absent (kNone).
// The scalar kernels in backends/reference define each operator's meaning.

enum class Activation : std::uint8_t { none, leaky_relu, gelu };

/// On which side of an activation a residual is added.
enum class ResidualPlace : std::uint8_t { after_activation, before_activation };

/// y = pixel_shuffle(activation(conv(x, weight) + bias) + residual), or, with the residual before the activation as in
/// ResNets, pixel_shuffle(activation(conv(x, weight) + bias + residual)). H × W become ceil(H / stride) × ceil(W /
/// stride); output pixel i reads from i · stride − (kernel − stride + 1) / 2 on, and zeros outside. With whole strides
/// that is PyTorch's 3×3 padding 1 (stride 1 or 2), 7×7 stride 2 padding 3, 4×4 stride 2 padding 1, 1×1 stride 2
/// padding 0, and patch embedding, 4×4 stride 4 padding 0.
struct Conv2d {
    static constexpr std::string_view kName = "Conv2d";
    enum Input { kX, kWeight, kBias, kResidual, kInputs };  // bias and residual optional
    int kernel = 3;                                         ///< square
    int stride = 1;
    Activation activation = Activation::none;
    float negative_slope = 0.0F;  ///< of leaky_relu
    ResidualPlace residual_place = ResidualPlace::after_activation;
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
/// constant, not −∞). Norm (both or none) and residual are optional. Sides that are no multiple of window are extended
/// right and bottom by pixels that are zero after the norm (so that their q, k and v are the biases), before the roll.
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

/// y = residual + fc2(f(fc1(norm(x)))), f the exact (erf) GELU or ReLU. Norm (both or none) and residual are optional.
struct Mlp {
    static constexpr std::string_view kName = "Mlp";
    enum Input { kX, kFc1Weight, kFc1Bias, kFc2Weight, kFc2Bias, kNormWeight, kNormBias, kResidual, kInputs };
    // fc1_weight [hidden, C], fc2_weight [C, hidden]
    Activation activation = Activation::gelu;  ///< leaky_relu stands for ReLU, its slope 0
    float norm_epsilon = 1e-5F;
    bool operator==(Mlp const&) const = default;
};

/// ELAN's local feature extraction (Zhang et al. 2022, section 3.2) as one operator:
/// y = residual + fc2(shift(relu(fc1(shift(x))))). shift moves four fifths of the channels by a pixel; of C channels
/// with g = ⌊C / 5⌋, [0, g) take the value to their right, [g, 2g) to their left, [2g, 3g) below, [3g, 4g) above, the
/// others their own; outside the picture is zero, for the hidden layer too. Residual is optional.
struct ShiftMlp {
    static constexpr std::string_view kName = "ShiftMlp";
    enum Input { kX, kFc1Weight, kFc1Bias, kFc2Weight, kFc2Bias, kResidual, kInputs };
    // fc1_weight [hidden, C], fc2_weight [C, hidden]
    bool operator==(ShiftMlp const&) const = default;
};

/// ELAN's group-wise multi-scale self-attention (Zhang et al. 2022, section 3.3) as one operator:
/// y = residual + out(concat_g(softmax(q_g·q_gᵀ) · v_g)) for three groups g of C/3 channels, group g inside windows of
/// windows[g] × windows[g] pixels; keys are the queries, and there is no scale. Where `shifted`, group g sees the
/// picture rolled by (−windows[g]/2, −windows[g]/2) and is written back in place; pixels that the roll brought together
/// attend to each other. Without `query`, in(x) [N, H, W, 2C] is q_0, v_0, q_1, v_1, q_2, v_2; with it, query [N, H, W,
/// C] is q_0, q_1, q_2 and in(x) [N, H, W, C] the values: layers that share their maps share q, which is C floats per
/// pixel where the maps are Σ windows[g]². H and W are multiples of each window. Query and residual are optional.
struct GroupWindowAttention {
    static constexpr std::string_view kName = "GroupWindowAttention";
    enum Input { kX, kInWeight, kInBias, kOutWeight, kOutBias, kQuery, kResidual, kInputs };
    static constexpr int kGroups = 3;
    // in_weight [2C, C] or [C, C], out_weight [C, C]
    std::array<int, kGroups> windows = {4, 8, 16};
    bool shifted = false;
    bool operator==(GroupWindowAttention const&) const = default;
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

/// Swin's step between stages: the channels of 2 × 2 pixels one after the other (row and column 00, 10, 01, 11; zeros
/// beyond an odd side), normalised together as by LayerNorm, then multiplied by weight [O, 4C]:
/// [N, H, W, C] → [N, ceil(H / 2), ceil(W / 2), O].
struct PatchMerging {
    static constexpr std::string_view kName = "PatchMerging";
    enum Input { kX, kNormWeight, kNormBias, kWeight, kInputs };
    float norm_epsilon = 1e-5F;
    bool operator==(PatchMerging const&) const = default;
};

/// y = (x − mean) / sqrt(var + epsilon) · weight + bias, mean and variance over all pixels of a picture and the
/// C / groups channels of a group (Wu and He 2018).
struct GroupNorm {
    static constexpr std::string_view kName = "GroupNorm";
    enum Input { kX, kWeight, kBias, kInputs };
    int groups = 32;
    float epsilon = 1e-5F;
    bool operator==(GroupNorm const&) const = default;
};

/// The largest value of each channel under a kernel × kernel window, in Conv2d's geometry; nothing outside counts.
struct MaxPool2d {
    static constexpr std::string_view kName = "MaxPool2d";
    enum Input { kX, kInputs };
    int kernel = 3;
    int stride = 2;
    bool operator==(MaxPool2d const&) const = default;
    [[nodiscard]] constexpr int padding() const { return Conv2d{.kernel = kernel, .stride = stride}.padding(); }
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

/// Bilinear interpolation to height × width, plus `add` (optional) of that size. Pixel centres lie at half-integers
/// and coordinates are held inside the picture: PyTorch's align_corners=False, without anti-aliasing.
struct Resize {
    static constexpr std::string_view kName = "Resize";
    enum Input { kX, kAdd, kInputs };
    Dim height, width;
    bool operator==(Resize const&) const = default;
};

/// The sine embedding of a map's positions (Carion et al. 2020, normalised) plus its level's learned embedding [C]:
/// [1, height, width, C], C a multiple of 4. Channels below C/2 tell the row, the others the column: with
/// p = 2π · (i + 1) / (size + 1e-6) / 10000^(2⌊c/2⌋ / (C/2)), channel c of a half is sin p for even c, cos p for odd.
struct SinePosition {
    static constexpr std::string_view kName = "SinePosition";
    enum Input { kLevel, kInputs };
    Dim height, width;
    bool operator==(SinePosition const&) const = default;
};

/// y = x + position, the same [1, H, W, C] for every picture.
struct AddPosition {
    static constexpr std::string_view kName = "AddPosition";
    enum Input { kX, kPosition, kInputs };
    bool operator==(AddPosition const&) const = default;
};

/// A learned table [Q, C] as an activation [batch, 1, Q, C].
struct Tokens {
    static constexpr std::string_view kName = "Tokens";
    enum Input { kTable, kInputs };
    Dim batch;
    bool operator==(Tokens const&) const = default;
};

/// Multi-scale deformable self-attention (Zhu et al. 2021) with all that surrounds it, for the pixels x of one level:
/// y = norm(x + proj(Σ_s a_s · value_s)). Of q = x + position come, per head, 3 levels · points offsets in pixels of
/// the level (along the width, then the height) and logits, softmax over all of them giving a. A sample lies at its
/// offset from the pixel's own relative place in the level; it is bilinear between pixel centres and zero outside.
/// Head h samples channels h·D … of the three values [N, Hₗ, Wₗ, C]. Weights: offsets [2S, C] with rows
/// (head, level, point, axis), scores [S, C], S = heads · 3 · points; proj [C, C].
struct DeformableAttention {
    static constexpr std::string_view kName = "DeformableAttention";
    enum Input {
        kX,
        kPosition,
        kValue0,
        kValue1,
        kValue2,
        kOffsetWeight,
        kOffsetBias,
        kScoreWeight,
        kScoreBias,
        kProjWeight,
        kProjBias,
        kNormWeight,
        kNormBias,
        kInputs
    };
    static constexpr int kLevels = 3;
    int heads = 8;
    int points = 4;  ///< per head and level
    float norm_epsilon = 1e-5F;
    bool operator==(DeformableAttention const&) const = default;
    [[nodiscard]] constexpr std::int64_t samples() const { return std::int64_t{heads} * kLevels * points; }
};

/// Attention of queries [N, 1, Q, C] to the pixels of keys and values [N, H, W, C], head by head:
/// y = softmax(q·kᵀ / √D) · v. Where there are masks [N, H, W, Q], a query sees only pixels where its mask is not
/// negative, or all where none is so (Cheng et al. 2022, eq. 2: sigmoid(mask) < 0.5 hides a pixel).
struct QueryAttention {
    static constexpr std::string_view kName = "QueryAttention";
    enum Input { kQueries, kKeys, kValues, kMask, kInputs };  // mask optional
    int heads = 8;
    bool operator==(QueryAttention const&) const = default;
};

/// [N, H, W, Q]: the product of each pixel's features [N, H, W, C] with each query [N, 1, Q, C].
struct QueryMasks {
    static constexpr std::string_view kName = "QueryMasks";
    enum Input { kFeatures, kQueries, kInputs };
    bool operator==(QueryMasks const&) const = default;
};

/// Attention between channels (S-MSA, Cai et al. 2022) with q, k, v = W_q·x, W_k·x, W_v·x at each pixel:
/// y = residual + proj(A · (v ∘ guide)) + pos2(gelu(pos1(v))). A mixes the D = C / heads channels of a head, alike at
/// every pixel: A = softmax over j of rescale[head] · (k_i · q_j) / (|k_i| · |q_j|), with dot products and norms (not
/// below 1e-12) over all pixels of the picture. pos1 and pos2 are depthwise 3 × 3 convolutions with zero padding.
/// Guide and residual are optional.
struct SpectralAttention {
    static constexpr std::string_view kName = "SpectralAttention";
    enum Input {
        kX,
        kQueryWeight,
        kKeyWeight,
        kValueWeight,
        kRescale,
        kProjWeight,
        kProjBias,
        kPosition1,
        kPosition2,
        kGuide,
        kResidual,
        kInputs
    };
    // query, key, value and proj weight [C, C], rescale [heads, 1, 1], proj_bias [C], positions [C, 1, 3, 3]
    int heads = 1;
    bool operator==(SpectralAttention const&) const = default;
};

/// y = residual + fc2(gelu(depth(gelu(fc1(norm(x)))))): an Mlp whose hidden layer sees its neighbours through a
/// depthwise 3 × 3 convolution with zero padding. Norm (both or none) and residual are optional.
struct ConvMlp {
    static constexpr std::string_view kName = "ConvMlp";
    enum Input { kX, kFc1Weight, kDepthWeight, kFc2Weight, kNormWeight, kNormBias, kResidual, kInputs };
    // fc1_weight [hidden, C, 1, 1], depth_weight [hidden, 1, 3, 3], fc2_weight [C, hidden, 1, 1]
    float norm_epsilon = 1e-5F;
    bool operator==(ConvMlp const&) const = default;
};

/// y = conv(x) + bias, each channel with its own kernel × kernel filter, zero padding that keeps H × W. With a gated
/// input of the same extents: y = gated · (1 + sigmoid(conv(x) + bias)). Bias and gated are optional.
struct DepthwiseConv {
    static constexpr std::string_view kName = "DepthwiseConv";
    enum Input { kX, kWeight, kBias, kGated, kInputs };
    // weight [C, 1, kernel, kernel]
    int kernel = 3;  ///< 3 or 5
    bool operator==(DepthwiseConv const&) const = default;
};

/// Undoes the dispersion of a snapshot spectral imager: y[n, i, j, c] = x[n, i, j + shift(c), c]. Coarser levels of a
/// network hold more channels for the same bands and fewer columns, which both shrink the step (Cai et al. 2022,
/// shift_back).
struct ShiftBack {
    static constexpr std::string_view kName = "ShiftBack";
    enum Input { kX, kInputs };
    int step = 2;         ///< columns from one channel to the next in a picture of full_rows rows
    int full_rows = 256;  ///< more rows are not defined
    Dim height, width;    ///< of y; height is that of x
    bool operator==(ShiftBack const&) const = default;

    [[nodiscard]] std::int64_t shift(std::int64_t channel, std::int64_t rows) const {
        auto const shrink = static_cast<double>(full_rows / rows);
        return static_cast<std::int64_t>(step / (shrink * shrink) * static_cast<double>(channel));
    }
};

/// A dense float32 value [N, C, H, W] as an activation [N, H, W, C]: how ONNX's pictures enter the operators above.
struct ToPixels {
    static constexpr std::string_view kName = "ToPixels";
    enum Input { kX, kInputs };
    bool operator==(ToPixels const&) const = default;
};

/// The way back: an activation [N, H, W, C] as a dense value [N, C, H, W].
struct ToDense {
    static constexpr std::string_view kName = "ToDense";
    enum Input { kX, kInputs };
    bool operator==(ToDense const&) const = default;
};

using Op = std::variant<Conv2d, LayerNorm, WindowAttention, Mlp, ShiftMlp, GroupWindowAttention, Add, Activate,
                        PixelShuffle, ResizeNearest, ReflectPad, Crop, Resize, SinePosition, AddPosition, Tokens,
                        DeformableAttention, QueryAttention, QueryMasks, PatchMerging, GroupNorm, MaxPool2d,
                        SpectralAttention, ConvMlp, DepthwiseConv, ShiftBack, ToPixels, ToDense, Dense>;

[[nodiscard]] inline std::string_view name_of(Op const& op) {
    if (auto const* const dense_op = std::get_if<Dense>(&op)) return dense_op->name();
    return std::visit([](auto const& o) { return o.kName; }, op);
}

}  // namespace vitrum
