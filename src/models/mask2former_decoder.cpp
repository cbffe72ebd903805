// SPDX-License-Identifier: Apache-2.0
// Mask2Former's transformer decoder: queries attend to one level after another, each only where its own last mask is.
#include "mask2former.h"
#include "mask2former_parts.h"

namespace vitrum::mask2former {
namespace {

namespace predictor {
constexpr Name kInput{"sem_seg_head.predictor.input_proj.{}", "model.transformer_module.input_projections.{}"};
constexpr Name kLevelEmbed{"sem_seg_head.predictor.level_embed.weight", "model.transformer_module.level_embed.weight"};
constexpr Name kQueryPositions{"sem_seg_head.predictor.query_embed.weight",
                               "model.transformer_module.queries_embedder.weight"};
constexpr Name kCross{"sem_seg_head.predictor.transformer_cross_attention_layers.{}.multihead_attn",
                      "model.transformer_module.decoder.layers.{}.cross_attn"};
constexpr Name kCrossNorm{"sem_seg_head.predictor.transformer_cross_attention_layers.{}.norm",
                          "model.transformer_module.decoder.layers.{}.cross_attn_layer_norm"};
constexpr Name kSelf{"sem_seg_head.predictor.transformer_self_attention_layers.{}.self_attn",
                     "model.transformer_module.decoder.layers.{}.self_attn"};
constexpr Name kSelfNorm{"sem_seg_head.predictor.transformer_self_attention_layers.{}.norm",
                         "model.transformer_module.decoder.layers.{}.self_attn_layer_norm"};
constexpr Name kFc1{"sem_seg_head.predictor.transformer_ffn_layers.{}.linear1",
                    "model.transformer_module.decoder.layers.{}.fc1"};
constexpr Name kFc2{"sem_seg_head.predictor.transformer_ffn_layers.{}.linear2",
                    "model.transformer_module.decoder.layers.{}.fc2"};
constexpr Name kFinalNorm{"sem_seg_head.predictor.transformer_ffn_layers.{}.norm",
                          "model.transformer_module.decoder.layers.{}.final_layer_norm"};
constexpr Name kNorm{"sem_seg_head.predictor.decoder_norm", "model.transformer_module.decoder.layernorm"};
constexpr Name kMaskEmbed{"sem_seg_head.predictor.mask_embed.layers.{}",
                          "model.transformer_module.decoder.mask_predictor.mask_embedder.{}.0"};
constexpr Name kClass{"sem_seg_head.predictor.class_embed", "class_predictor"};
}  // namespace predictor

/// Which third of a packed in_proj.
enum Part : std::int64_t { kQuery, kKey, kValue };

class DecoderBuilder {
public:
    DecoderBuilder(Parts& parts, Config const& config, PixelMaps const& maps)
        : p_(parts), graph_(parts.graph()), c_(config), maps_(maps) {}

    void build() {
        read_levels();
        read_heads();
        auto const c = c_.channels;
        auto const tokens = [&](std::string const& key, Dim const& batch) {
            return graph_.add(Tokens{.batch = batch}, {p_.constant(key, {c_.queries, c})}, key);
        };
        auto x = tokens(c_.query_features, Dim(Symbol::n));
        query_position_ = tokens(p_.key(predictor::kQueryPositions), 1);
        auto embedding = mask_embedding(p_.apply_norm(norm_, x));
        auto normed = x;
        for (int layer = 0; layer < c_.query_layers; ++layer) {
            x = attend_to_level(layer, x, embedding);
            x = attend_to_queries(layer, x);
            x = p_.apply_feed_forward(p_.matrix(p_.key(predictor::kFc1, layer), c, c_.query_hidden),
                                      p_.matrix(p_.key(predictor::kFc2, layer), c_.query_hidden, c),
                                      p_.norm(p_.key(predictor::kFinalNorm, layer), c), x);
            normed = p_.apply_norm(norm_, x);
            embedding = mask_embedding(normed);
        }
        graph_.add_output("output_logits",
                          p_.apply_conv(p_.linear(p_.key(predictor::kClass), c, c_.classes + 1), normed));
        graph_.add_output("output_masks",
                          graph_.add(QueryMasks{}, {maps_.mask_features, embedding}, p_.key(predictor::kMaskEmbed, 2)));
    }

private:
    /// What the layers read of a level: the same for all that read it.
    struct Level {
        ValueId memory;         ///< without the level's embedding, which is in the values' bias
        ValueId keys;           ///< memory + embedding + position
        ValueId mask_features;  ///< at the level's size
        Constant embed;         ///< [C]
    };

    void read_levels() {
        auto const key = p_.key(predictor::kLevelEmbed);
        for (std::size_t l = 0; l < kLevels; ++l) {
            Level& level = levels_[l];
            level.memory = maps_.levels[l];
            if (c_.input_projection) {
                level.memory = p_.apply_conv(p_.conv(p_.key(predictor::kInput, l), c_.pixel_channels, c_.channels, 1),
                                             level.memory);
            }
            level.embed = p_.rows(key, {kLevels, c_.channels}, static_cast<std::int64_t>(l), {c_.channels});
            auto const embed = graph_.add_constant(fmt::format("{}[{}]", key, l), level.embed);
            auto const dims = graph_.value(level.memory).dims;
            auto const position = graph_.add(SinePosition{.height = dims[1], .width = dims[2]}, {embed}, key);
            level.keys = graph_.add(AddPosition{}, {level.memory, position}, key);
            // The original resizes each query's mask; resizing is linear, so it may as well come before the product.
            level.mask_features = graph_.add(Resize{.height = dims[1], .width = dims[2]}, {maps_.mask_features, kNone},
                                             p_.key(predictor::kMaskEmbed, 2));
        }
    }

    void read_heads() {
        auto const c = c_.channels;
        norm_ = p_.norm(p_.key(predictor::kNorm), c);
        for (std::size_t i = 0; i < mask_layers_.size(); ++i) {
            auto const out = i + 1 < mask_layers_.size() ? c : c_.mask_channels;
            mask_layers_[i] = p_.linear(p_.key(predictor::kMaskEmbed, i), c, out);
        }
    }

    /// What a query's mask is the product of with the pixels' features.
    ValueId mask_embedding(ValueId x) {
        for (std::size_t i = 0; i < mask_layers_.size(); ++i) {
            x = p_.apply_conv(mask_layers_[i], x, 1, i + 1 < mask_layers_.size());
        }
        return x;
    }

    ValueId attend_to_level(int layer, ValueId x, ValueId embedding) {
        Level const& level = levels_[static_cast<std::size_t>(layer) % kLevels];
        auto const name = p_.key(predictor::kCross, layer);
        auto const masks = graph_.add(QueryMasks{}, {level.mask_features, embedding}, name);
        auto const queries = project(name, kQuery, with_position(x, name));
        auto const keys = project(name, kKey, level.keys);
        auto const values = project(name, kValue, level.memory, &level.embed);
        return close(name, p_.key(predictor::kCrossNorm, layer), x, {queries, keys, values, masks});
    }

    ValueId attend_to_queries(int layer, ValueId x) {
        auto const name = p_.key(predictor::kSelf, layer);
        auto const placed = with_position(x, name);
        return close(name, p_.key(predictor::kSelfNorm, layer), x,
                     {project(name, kQuery, placed), project(name, kKey, placed), project(name, kValue, x), kNone});
    }

    ValueId with_position(ValueId x, std::string const& name) {
        return graph_.add(AddPosition{}, {x, query_position_}, name);
    }

    /// norm(x + out_proj(attention))
    ValueId close(std::string const& name, std::string const& norm, ValueId x, std::vector<ValueId> inputs) {
        auto const attended = graph_.add(QueryAttention{.heads = c_.heads}, std::move(inputs), name);
        auto const projected = p_.apply_conv(p_.linear(name + ".out_proj", c_.channels, c_.channels), attended);
        return p_.apply_norm(p_.norm(norm, c_.channels), graph_.add(Add{}, {projected, x}, name));
    }

    /// One of an attention's input projections, of x or (with `shift` [C]) of x + shift.
    ValueId project(std::string const& name, Part part, ValueId x, Constant const* shift = nullptr) {
        static constexpr std::array kOwn = {"q", "k", "v"};
        auto const c = c_.channels;
        bool const packed = p_.weights().has(name + ".in_proj_weight");
        auto const own = fmt::format("{}.{}_proj", name, kOwn[static_cast<std::size_t>(part)]);
        Constant const weight = packed ? p_.rows(name + ".in_proj_weight", {3 * c, c}, part * c, {c, c})
                                       : p_.weights().get(own + ".weight", {c, c});
        Constant bias =
            packed ? p_.rows(name + ".in_proj_bias", {3 * c}, part * c, {c}) : p_.weights().get(own + ".bias", {c});
        if (shift != nullptr) bias = shifted(weight, bias, *shift);
        Affine const affine{graph_.add_constant(own + ".weight", {{c, c, 1, 1}, weight.data, weight.owner}),
                            graph_.add_constant(own + ".bias", bias), own};
        return p_.apply_conv(affine, x);
    }

    /// bias + weight · shift
    static Constant shifted(Constant const& weight, Constant const& bias, Constant const& shift) {
        if (weight.data == nullptr) return bias;  // shapes only
        auto const count = bias.shape[0];
        auto sums = std::make_shared<std::vector<float>>();
        for (std::int64_t o = 0; o < count; ++o) {
            double sum = bias.data[o];
            for (std::int64_t i = 0; i < count; ++i)
                sum += static_cast<double>(weight.data[o * count + i]) * shift.data[i];
            sums->push_back(static_cast<float>(sum));
        }
        return {bias.shape, sums->data(), sums};
    }

    Parts& p_;
    Graph& graph_;
    Config const& c_;
    PixelMaps const& maps_;
    std::array<Level, kLevels> levels_{};
    Affine norm_;
    std::array<Affine, 3> mask_layers_;
    ValueId query_position_ = kNone;
};

}  // namespace

void build_query_decoder(Parts& parts, Config const& config, PixelMaps const& maps) {
    DecoderBuilder(parts, config, maps).build();
}

}  // namespace vitrum::mask2former
