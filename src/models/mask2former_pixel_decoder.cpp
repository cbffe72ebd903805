// SPDX-License-Identifier: Apache-2.0
// Mask2Former's pixel decoder: MSDeformAttn (Zhu et al. 2021) over the maps of strides 32, 16 and 8, and one step of a
// feature pyramid to stride 4.
#include "mask2former.h"
#include "mask2former_parts.h"

namespace vitrum::mask2former {
namespace {

constexpr int kGroups = 32;  // of every GroupNorm here, by convention of the family

namespace pixels {
constexpr Name kInput{"sem_seg_head.pixel_decoder.input_proj.{}.0",
                      "model.pixel_level_module.decoder.input_projections.{}.0"};
constexpr Name kInputNorm{"sem_seg_head.pixel_decoder.input_proj.{}.1",
                          "model.pixel_level_module.decoder.input_projections.{}.1"};
constexpr Name kLevelEmbed{"sem_seg_head.pixel_decoder.transformer.level_embed",
                           "model.pixel_level_module.decoder.level_embed"};
constexpr Name kAttention{"sem_seg_head.pixel_decoder.transformer.encoder.layers.{}.self_attn",
                          "model.pixel_level_module.decoder.encoder.layers.{}.self_attn"};
constexpr Name kAttentionNorm{"sem_seg_head.pixel_decoder.transformer.encoder.layers.{}.norm1",
                              "model.pixel_level_module.decoder.encoder.layers.{}.self_attn_layer_norm"};
constexpr Name kFc1{"sem_seg_head.pixel_decoder.transformer.encoder.layers.{}.linear1",
                    "model.pixel_level_module.decoder.encoder.layers.{}.fc1"};
constexpr Name kFc2{"sem_seg_head.pixel_decoder.transformer.encoder.layers.{}.linear2",
                    "model.pixel_level_module.decoder.encoder.layers.{}.fc2"};
constexpr Name kFinalNorm{"sem_seg_head.pixel_decoder.transformer.encoder.layers.{}.norm2",
                          "model.pixel_level_module.decoder.encoder.layers.{}.final_layer_norm"};
constexpr Name kLateral{"sem_seg_head.pixel_decoder.adapter_1", "model.pixel_level_module.decoder.adapter_1.0"};
constexpr Name kLateralNorm{"sem_seg_head.pixel_decoder.adapter_1.norm",
                            "model.pixel_level_module.decoder.adapter_1.1"};
constexpr Name kOutput{"sem_seg_head.pixel_decoder.layer_1", "model.pixel_level_module.decoder.layer_1.0"};
constexpr Name kOutputNorm{"sem_seg_head.pixel_decoder.layer_1.norm", "model.pixel_level_module.decoder.layer_1.1"};
constexpr Name kMaskFeatures{"sem_seg_head.pixel_decoder.mask_features",
                             "model.pixel_level_module.decoder.mask_projection"};
}  // namespace pixels

using Levels = std::array<ValueId, kLevels>;

class PixelDecoderBuilder {
public:
    PixelDecoderBuilder(Parts& parts, Config const& config) : p_(parts), c_(config) {}

    PixelMaps build(std::array<ValueId, 4> const& features) {
        auto const channels = feature_channels(c_.backbone);
        Levels levels{};
        for (std::size_t l = 0; l < kLevels; ++l) {
            auto const from = features.size() - 1 - l;  // the coarsest map first
            auto const conv = p_.conv(p_.key(pixels::kInput, l), channels[from], c_.pixel_channels, 1);
            levels[l] = group_norm(p_.key(pixels::kInputNorm, l), p_.apply_conv(conv, features[from]));
        }
        Levels const positions = make_positions(levels);
        for (int layer = 0; layer < c_.pixel_layers; ++layer) levels = encode(layer, levels, positions);
        return {pyramid(features[0], channels[0], levels.back()), levels};
    }

private:
    ValueId group_norm(std::string const& name, ValueId x) {
        auto const norm = p_.norm(name, c_.pixel_channels);
        return p_.graph().add(GroupNorm{.groups = kGroups}, {x, norm.weight, norm.bias}, name);
    }

    Levels make_positions(Levels const& levels) {
        Levels positions{};
        auto const key = p_.key(pixels::kLevelEmbed);
        for (std::size_t l = 0; l < kLevels; ++l) {
            auto const embed =
                p_.rows(key, {kLevels, c_.pixel_channels}, static_cast<std::int64_t>(l), {c_.pixel_channels});
            auto const dims = p_.graph().value(levels[l]).dims;
            positions[l] = p_.graph().add(SinePosition{.height = dims[1], .width = dims[2]},
                                          {p_.graph().add_constant(fmt::format("{}[{}]", key, l), embed)}, key);
        }
        return positions;
    }

    /// One layer: every pixel of every level samples all levels.
    Levels encode(int layer, Levels const& levels, Levels const& positions) {
        auto const c = c_.pixel_channels;
        auto const name = p_.key(pixels::kAttention, layer);
        DeformableAttention const op{.heads = c_.heads, .points = c_.points};
        auto const value = p_.linear(name + ".value_proj", c, c);
        auto const offset = p_.matrix(name + ".sampling_offsets", c, 2 * op.samples());
        auto const score = p_.matrix(name + ".attention_weights", c, op.samples());
        auto const proj = p_.matrix(name + ".output_proj", c, c);
        auto const norm = p_.norm(p_.key(pixels::kAttentionNorm, layer), c);
        auto const fc1 = p_.matrix(p_.key(pixels::kFc1, layer), c, c_.pixel_hidden);
        auto const fc2 = p_.matrix(p_.key(pixels::kFc2, layer), c_.pixel_hidden, c);
        auto const final_norm = p_.norm(p_.key(pixels::kFinalNorm, layer), c);
        // The finest level, which takes longest, comes first: a GPU has the others' steps beside it.
        Levels values{};
        for (std::size_t l = kLevels; l-- > 0;) values[l] = p_.apply_conv(value, levels[l]);
        Levels result{};
        for (std::size_t l = kLevels; l-- > 0;) {
            auto const x =
                p_.graph().add(op,
                               {levels[l], positions[l], values[0], values[1], values[2], offset.weight, offset.bias,
                                score.weight, score.bias, proj.weight, proj.bias, norm.weight, norm.bias},
                               name);
            result[l] = p_.apply_feed_forward(fc1, fc2, final_norm, x);
        }
        return result;
    }

    ValueId pyramid(ValueId fine, std::int64_t fine_channels, ValueId coarse) {
        auto const c = c_.pixel_channels;
        auto const lateral = p_.apply_conv(p_.conv(p_.key(pixels::kLateral), fine_channels, c, 1, false), fine);
        auto const normed = group_norm(p_.key(pixels::kLateralNorm), lateral);
        auto const dims = p_.graph().value(normed).dims;
        auto const sum =
            p_.graph().add(Resize{.height = dims[1], .width = dims[2]}, {coarse, normed}, p_.key(pixels::kLateral));
        auto const conv = p_.apply_conv(p_.conv(p_.key(pixels::kOutput), c, c, 3, false), sum, 3);
        auto const out =
            p_.graph().add(Activate{}, {group_norm(p_.key(pixels::kOutputNorm), conv)}, p_.key(pixels::kOutput));
        return p_.apply_conv(p_.conv(p_.key(pixels::kMaskFeatures), c, c_.mask_channels, 1), out);
    }

    Parts& p_;
    Config const& c_;
};

}  // namespace

PixelMaps build_pixel_decoder(Parts& parts, Config const& config, std::array<ValueId, 4> const& features) {
    return PixelDecoderBuilder(parts, config).build(features);
}

}  // namespace vitrum::mask2former
