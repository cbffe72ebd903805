// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "conv2d_cases.h"
#include "elan_cases.h"
#include "elementwise_cases.h"
#include "group_norm_cases.h"
#include "layer_norm_cases.h"
#include "mlp_cases.h"
#include "patch_merging_cases.h"
#include "position_cases.h"
#include "query_cases.h"
#include "spatial_cases.h"
#include "window_attention_cases.h"

// Whole layers at the sizes that users run, too slow for a test against the reference: SwinIR lightweight (S: 60
// channels) and classical (M: 180) on tiles of 64 × 64 and 128 × 128; ELAN light (60) and full (180).

namespace vitrum::bench {

inline constexpr auto kConv2dLayers = std::to_array<test::Conv2dCase>({
    {.name = "layer_head_128", .h = 128, .w = 128, .c_in = 3, .c_out = 180},
    {.name = "layer_s_64", .h = 64, .w = 64, .c_in = 60, .c_out = 60, .residual = true},
    {.name = "layer_s_128", .h = 128, .w = 128, .c_in = 60, .c_out = 60, .residual = true},
    {.name = "layer_m_64", .h = 64, .w = 64, .c_in = 180, .c_out = 180, .residual = true},
    {.name = "layer_m_128", .h = 128, .w = 128, .c_in = 180, .c_out = 180, .residual = true},
    {.name = "layer_m_to_64_128",
     .h = 128,
     .w = 128,
     .c_in = 180,
     .c_out = 64,
     .activation = Activation::leaky_relu,
     .negative_slope = 0.01F},
    {.name = "layer_s_shuffle2_128", .h = 128, .w = 128, .c_in = 60, .c_out = 12, .pixel_shuffle = 2},
    {.name = "layer_m_shuffle2_128", .h = 128, .w = 128, .c_in = 64, .c_out = 256, .pixel_shuffle = 2},
    {.name = "layer_tail_256", .h = 256, .w = 256, .c_in = 64, .c_out = 3},
    {.name = "layer_k1_128", .h = 128, .w = 128, .c_in = 60, .c_out = 60, .kernel = 1},
    // ResNet-50 and Swin on pictures of 512 × 512.
    {.name = "layer_resnet_stem_512", .h = 512, .w = 512, .c_in = 3, .c_out = 64, .kernel = 7, .stride = 2},
    {.name = "layer_resnet_res2_128", .h = 128, .w = 128, .c_in = 64, .c_out = 64},
    {.name = "layer_resnet_res3_128", .h = 128, .w = 128, .c_in = 128, .c_out = 128, .stride = 2},
    {.name = "layer_resnet_res4_32", .h = 32, .w = 32, .c_in = 256, .c_out = 256},
    {.name = "layer_resnet_res5_16", .h = 16, .w = 16, .c_in = 512, .c_out = 512},
    {.name = "layer_resnet_k1_32", .h = 32, .w = 32, .c_in = 256, .c_out = 1024, .kernel = 1},
    {.name = "layer_resnet_k1_16", .h = 16, .w = 16, .c_in = 2048, .c_out = 512, .kernel = 1},
    {.name = "layer_patch_embedding_512", .h = 512, .w = 512, .c_in = 3, .c_out = 96, .kernel = 4, .stride = 4},
});

inline constexpr auto kWindowAttentionLayers = std::to_array<test::WindowAttentionCase>({
    {.name = "layer_s_64", .h = 64, .w = 64, .c = 60},
    {.name = "layer_s_128", .h = 128, .w = 128, .c = 60},
    {.name = "layer_s_128_shifted", .h = 128, .w = 128, .c = 60, .shift = 4},
    {.name = "layer_m_64", .h = 64, .w = 64, .c = 180},
    {.name = "layer_m_128", .h = 128, .w = 128, .c = 180},
    {.name = "layer_m_128_shifted", .h = 128, .w = 128, .c = 180, .shift = 4},
    {.name = "layer_jpeg_126", .h = 126, .w = 126, .c = 180, .window = 7},
    // The stages of Swin-T on pictures of 512 × 512.
    {.name = "layer_swin_t0", .h = 128, .w = 128, .c = 96, .heads = 3, .window = 7, .shift = 3},
    {.name = "layer_swin_t1", .h = 64, .w = 64, .c = 192, .heads = 6, .window = 7, .shift = 3},
    {.name = "layer_swin_t2", .h = 32, .w = 32, .c = 384, .heads = 12, .window = 7, .shift = 3},
    {.name = "layer_swin_t3", .h = 16, .w = 16, .c = 768, .heads = 24, .window = 7, .shift = 3},
});

inline constexpr auto kMlpLayers = std::to_array<test::MlpCase>({
    {.name = "layer_s_64", .h = 64, .w = 64, .c = 60, .hidden = 120},
    {.name = "layer_s_128", .h = 128, .w = 128, .c = 60, .hidden = 120},
    {.name = "layer_m_64", .h = 64, .w = 64, .c = 180, .hidden = 360},
    {.name = "layer_m_128", .h = 128, .w = 128, .c = 180, .hidden = 360},
    {.name = "layer_swin_t0", .h = 128, .w = 128, .c = 96, .hidden = 384},
    {.name = "layer_swin_t1", .h = 64, .w = 64, .c = 192, .hidden = 768},
    {.name = "layer_swin_t2", .h = 32, .w = 32, .c = 384, .hidden = 1536},
    {.name = "layer_swin_t3", .h = 16, .w = 16, .c = 768, .hidden = 3072},
    {.name = "layer_deformable_512",
     .h = 64,
     .w = 64,
     .c = 256,
     .hidden = 1024,
     .norm = false,
     .activation = Activation::leaky_relu},
});

inline constexpr auto kPatchMergingLayers = std::to_array<test::PatchMergingCase>({
    {.name = "layer_swin_t0", .h = 128, .w = 128, .c = 96, .out = 192},
    {.name = "layer_swin_t2", .h = 32, .w = 32, .c = 384, .out = 768},
});

inline constexpr auto kGroupNormLayers = std::to_array<test::GroupNormCase>({
    {.name = "layer_128", .h = 128, .w = 128, .c = 256},
});

inline constexpr auto kShiftMlpLayers = std::to_array<test::ShiftMlpCase>({
    {.name = "layer_light_96", .h = 96, .w = 96},
    {.name = "layer_full_96", .h = 96, .w = 96, .c = 180, .hidden = 360},
});

inline constexpr auto kGroupWindowAttentionLayers = std::to_array<test::GroupWindowAttentionCase>({
    {.name = "layer_light_96", .h = 96, .w = 96, .query = true},
    {.name = "layer_light_96_shifted", .h = 96, .w = 96, .shifted = true, .query = true},
    {.name = "layer_full_96", .h = 96, .w = 96, .c = 180},
    {.name = "layer_full_96_shifted", .h = 96, .w = 96, .c = 180, .shifted = true},
});

inline constexpr auto kLayerNormLayers = std::to_array<test::LayerNormCase>({
    {.name = "layer_s_128", .h = 128, .w = 128, .c = 60},
    {.name = "layer_m_128", .h = 128, .w = 128, .c = 180},
});

inline constexpr auto kAddLayers = std::to_array<test::AddCase>({
    {.name = "layer_s_128", .h = 128, .w = 128, .c = 60},
    {.name = "layer_m_128", .h = 128, .w = 128, .c = 180},
});

inline constexpr auto kActivateLayers = std::to_array<test::ActivateCase>({
    {.name = "layer_leaky_relu_256", .h = 256, .w = 256, .c = 64, .negative_slope = 0.2F},
    {.name = "layer_gelu_128", .h = 128, .w = 128, .c = 120, .activation = Activation::gelu},
});

inline constexpr auto kResizeNearestLayers = std::to_array<test::ResizeNearestCase>({
    {.name = "layer_x2_128", .h = 128, .w = 128, .c = 64},
});

inline constexpr auto kReflectPadLayers = std::to_array<test::ReflectPadCase>({
    {.name = "layer_rgb_500", .h = 500, .w = 500},
});

inline constexpr auto kCropLayers = std::to_array<test::CropCase>({
    {.name = "layer_rgb_500", .h = 512, .w = 512, .to_h = 500, .to_w = 500},
});

// Mask2Former's decoders at 512 × 512.

inline constexpr auto kDeformableAttentionLayers = std::to_array<test::DeformableAttentionCase>({
    {.name = "layer_stride8_512", .h = 64, .w = 64, .c = 256, .scale = 4},
    {.name = "layer_stride32_512", .h = 16, .w = 16, .c = 256},
});

inline constexpr auto kQueryAttentionLayers = std::to_array<test::QueryAttentionCase>({
    {.name = "layer_stride8_512", .q = 100, .h = 64, .w = 64, .c = 256},
    {.name = "layer_stride32_512", .q = 100, .h = 16, .w = 16, .c = 256},
});

inline constexpr auto kQueryMasksLayers = std::to_array<test::QueryMasksCase>({
    {.name = "layer_512", .h = 128, .w = 128, .c = 256, .q = 100},
    {.name = "layer_stride8_512", .h = 64, .w = 64, .c = 256, .q = 100},
});

inline constexpr auto kResizeLayers = std::to_array<test::ResizeCase>({
    {.name = "layer_pyramid_512", .h = 64, .w = 64, .c = 256, .to_h = 128, .to_w = 128, .add = true},
});

}  // namespace vitrum::bench
