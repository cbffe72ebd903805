// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "models/state_dict.h"
#include "vitrum/model.h"

// What stands under a Mask2Former: four feature maps of strides 4, 8, 16 and 32 from a normalised picture.

namespace vitrum::mask2former {

/// Whose names the keys follow.
enum class Layout : std::uint8_t {
    detectron2,    ///< facebookresearch/Mask2Former: "backbone.layers.0.blocks.0.attn.qkv.weight", "backbone.res2.0…"
    hugging_face,  ///< transformers: "model.pixel_level_module.encoder.…", with q, k and v apart
};

/// Swin (Liu et al. 2021) as the detection codes run it: any size, every stage's result normalised.
struct SwinConfig {
    Layout layout = Layout::detectron2;
    std::int64_t in_channels = 3, embed_dim = 96;
    int patch = 4;
    int window = 7;
    std::array<int, 4> depths{}, heads{};
    std::array<std::int64_t, 4> mlp_hidden{};
    bool qkv_bias = true;
    float norm_epsilon = 1e-5F;  ///< of the blocks; the other norms keep PyTorch's 1e-5
    [[nodiscard]] std::int64_t channels(std::size_t stage) const { return embed_dim << stage; }
};

/// ResNet with bottlenecks (He et al. 2016).
struct ResNetConfig {
    Layout layout = Layout::detectron2;
    std::int64_t in_channels = 3, stem = 64;
    std::array<int, 4> depths{};
    std::array<std::int64_t, 4> channels{}, bottleneck{};
    bool stride_in_1x1 = false;  ///< which convolution of a stage's first block halves: the 1 × 1 or the 3 × 3
};

using BackboneConfig = std::variant<SwinConfig, ResNetConfig>;

/// What detection found: values with their evidence, and the keys that are missing or make no sense.
struct Findings {
    std::vector<Hyperparameter> hyperparameters;
    std::vector<std::string> missing;

    void note(std::string name, std::string value, std::string evidence) {
        hyperparameters.push_back({std::move(name), std::move(value), std::move(evidence)});
    }
};

/// The backbone that the keys and shapes describe, in either layout, or nothing where findings.missing says why not.
/// Throws Error where a config.json contradicts them.
[[nodiscard]] std::optional<BackboneConfig> read_backbone(StateDict const& dict, Overrides const& overrides,
                                                          Findings& findings);

/// "Swin-T", "R50", or "Swin" where no published size fits.
[[nodiscard]] std::string name_of(BackboneConfig const& config);

/// Channels of the four feature maps.
[[nodiscard]] std::array<std::int64_t, 4> feature_channels(BackboneConfig const& config);

/// Appends the backbone to the graph: picture [N, H, W, 3] to maps of ceil(H / 4) × ceil(W / 4) … ceil(H / 32) × ….
[[nodiscard]] std::array<ValueId, 4> build_backbone(Graph& graph, Weights& weights, BackboneConfig const& config,
                                                    ValueId picture);
[[nodiscard]] std::array<ValueId, 4> build_swin(Graph& graph, Weights& weights, SwinConfig const& config,
                                                ValueId picture);
[[nodiscard]] std::array<ValueId, 4> build_resnet(Graph& graph, Weights& weights, ResNetConfig const& config,
                                                  ValueId picture);

/// Keys of backbones that carry no weights of ours: buffers that sizes give, heads of a classifier.
[[nodiscard]] bool is_backbone_buffer(std::string_view key);

/// Names of --set that read_backbone understands, beside the family's own.
[[nodiscard]] std::vector<std::string> backbone_overrides();

}  // namespace vitrum::mask2former
