// SPDX-License-Identifier: Apache-2.0
// Which backbone a checkpoint holds.
#include "mask2former_backbone.h"

#include "base/check.h"
#include "mask2former_backbone_detect.h"
#include "models/settings.h"

namespace vitrum::mask2former {
namespace {

constexpr std::array kLayouts = {Layout::detectron2, Layout::hugging_face};

std::string name(SwinConfig const& c) {
    using Depths = std::array<int, 4>;
    if (c.embed_dim == 96 && c.depths == Depths{2, 2, 6, 2}) return "Swin-T";
    if (c.depths != Depths{2, 2, 18, 2}) return "Swin";
    switch (c.embed_dim) {
        case 96: return "Swin-S";
        case 128: return "Swin-B";
        case 192: return "Swin-L";
        default: return "Swin";
    }
}

std::string name(ResNetConfig const& c) {
    int layers = 2;  // the stem and the classifier that the name still counts
    for (int const depth : c.depths) layers += 3 * depth;
    return fmt::format("R{}", layers);
}

using Channels = std::array<std::int64_t, 4>;

Channels channels(SwinConfig const& c) {
    return {c.channels(0), c.channels(1), c.channels(2), c.channels(3)};
}
Channels channels(ResNetConfig const& c) {
    return c.channels;
}

using Maps = std::array<ValueId, 4>;

Maps build(Graph& graph, Weights& weights, SwinConfig const& c, ValueId picture) {
    return build_swin(graph, weights, c, picture);
}
Maps build(Graph& graph, Weights& weights, ResNetConfig const& c, ValueId picture) {
    return build_resnet(graph, weights, c, picture);
}

void refuse_unknown(StateDict const& dict) {
    auto type = setting(dict, "backbone_config.model_type");
    if (setting(dict, "use_timm_backbone") == "true") type = "timm's " + setting(dict, "backbone").value_or("backbone");
    if (!type || *type == "swin" || *type == "resnet") return;
    fail("{}: config.json: the backbone is \"{}\"; vitrum knows \"swin\" and \"resnet\"", dict.path().string(), *type);
}

}  // namespace

std::optional<BackboneConfig> read_backbone(StateDict const& dict, Overrides const& overrides, Findings& findings) {
    for (Layout const layout : kLayouts) {
        if (dict.has(swin_stem_key(layout))) {
            demand_setting(dict, "backbone_config.model_type", "swin");
            return read_swin(dict, layout, findings);
        }
        if (dict.has(resnet_stem_key(layout))) {
            demand_setting(dict, "backbone_config.model_type", "resnet");
            return read_resnet(dict, layout, overrides, findings);
        }
    }
    if (setting(dict, "model_type") == "mask2former") refuse_unknown(dict);
    findings.missing.push_back(fmt::format("{} or {} (a Swin or a ResNet backbone)", swin_stem_key(Layout::detectron2),
                                           resnet_stem_key(Layout::detectron2)));
    return std::nullopt;
}

std::string name_of(BackboneConfig const& config) {
    return std::visit([](auto const& c) { return name(c); }, config);
}

std::array<std::int64_t, 4> feature_channels(BackboneConfig const& config) {
    return std::visit([](auto const& c) { return channels(c); }, config);
}

std::array<ValueId, 4> build_backbone(Graph& graph, Weights& weights, BackboneConfig const& config, ValueId picture) {
    return std::visit([&](auto const& c) { return build(graph, weights, c, picture); }, config);
}

bool is_backbone_buffer(std::string_view key) {
    return key.ends_with(".relative_position_index") || key.ends_with(".attn_mask") ||
           key.ends_with(".num_batches_tracked") || key.find("pixel_level_module.encoder.swin.layernorm.") != key.npos;
}

std::vector<std::string> backbone_overrides() {
    return {"stride_in_1x1"};
}

}  // namespace vitrum::mask2former
