// SPDX-License-Identifier: Apache-2.0
// Mask2Former: Masked-attention Mask Transformer for Universal Image Segmentation (Cheng et al. 2022), as detectron2
// and as Hugging Face store it.
#include "mask2former.h"

#include <algorithm>

#include "base/check.h"
#include "mask2former_parts.h"
#include "models/family.h"
#include "models/overrides.h"
#include "models/segmentation_info.h"
#include "models/settings.h"

namespace vitrum {
namespace mask2former {
namespace {

// What decides a number, under its two names.
constexpr Name kClass{"sem_seg_head.predictor.class_embed.weight", "class_predictor.weight"};
constexpr Name kQueryPositions{"sem_seg_head.predictor.query_embed.weight",
                               "model.transformer_module.queries_embedder.weight"};
constexpr Name kQueryFeatures{"sem_seg_head.predictor.query_feat.weight",
                              "model.transformer_module.queries_features.weight"};
constexpr Name kOldQueryFeatures{"sem_seg_head.predictor.static_query.weight", ""};
constexpr Name kInput{"sem_seg_head.predictor.input_proj.0.weight",
                      "model.transformer_module.input_projections.0.weight"};
constexpr Name kMaskFeatures{"sem_seg_head.pixel_decoder.mask_features.weight",
                             "model.pixel_level_module.decoder.mask_projection.weight"};
constexpr Name kPixelFc1{"sem_seg_head.pixel_decoder.transformer.encoder.layers.{}.linear1.weight",
                         "model.pixel_level_module.decoder.encoder.layers.{}.fc1.weight"};
constexpr Name kOffsets{"sem_seg_head.pixel_decoder.transformer.encoder.layers.{}.self_attn.sampling_offsets.weight",
                        "model.pixel_level_module.decoder.encoder.layers.{}.self_attn.sampling_offsets.weight"};
constexpr Name kQueryFc1{"sem_seg_head.predictor.transformer_ffn_layers.{}.linear1.weight",
                         "model.transformer_module.decoder.layers.{}.fc1.weight"};

constexpr std::string_view kHeadsSetting = "attention_heads";
constexpr float kMaxHeads = 1024;

/// Reads the configuration off keys and shapes; every value carries what it was read from.
class Detector {
public:
    Detector(StateDict const& dict, Overrides const& overrides) : dict_(dict), overrides_(overrides) {}

    DetectResult detect() {
        c_.layout = dict_.has(kQueryPositions.hugging_face) ? Layout::hugging_face : Layout::detectron2;
        if (!read_queries() || !read_pixel_decoder() || !read_heads()) return Mismatch{found_.missing, {}};
        auto const backbone = read_backbone(dict_, overrides_, found_);
        if (!backbone) return Mismatch{found_.missing, {}};
        c_.backbone = *backbone;
        check_config();
        auto settings = backbone_overrides();
        settings.emplace_back(kHeadsSetting);
        return Detection{
            .info = describe(),
            .build = [config = c_](Weights& weights) { return build_graph(config, weights); },
            .ignorable = [](std::string_view key) { return is_for_training(key) || is_backbone_buffer(key); },
            .overrides = std::move(settings)};
    }

private:
    static bool is_for_training(std::string_view key) { return key.starts_with("criterion."); }

    [[nodiscard]] std::string key(Name const& name, int index = 0) const { return name.in(c_.layout, index); }

    std::optional<Shape> shape(Name const& name, int rank) {
        auto const text = key(name);
        auto found = dict_.shape(text, rank);
        if (!found || std::ranges::any_of(*found, [](std::int64_t extent) { return extent < 1; })) {
            found_.missing.push_back(text);
            return std::nullopt;
        }
        return found;
    }

    bool demand(bool holds, std::string const& what) {
        if (!holds) found_.missing.push_back(what);
        return holds;
    }

    [[nodiscard]] int count_layers(Name const& name) const {
        int count = 0;
        while (dict_.has(key(name, count))) ++count;
        return count;
    }

    bool read_queries() {
        auto const positions = shape(kQueryPositions, 2);
        auto const classes = shape(kClass, 2);
        auto const fc1 = shape(kQueryFc1, 2);
        if (!positions || !classes || !fc1) return false;
        c_.queries = (*positions)[0];
        c_.channels = (*positions)[1];
        c_.classes = (*classes)[0] - 1;  // the last is "no object"
        c_.query_hidden = (*fc1)[0];
        c_.query_layers = count_layers(kQueryFc1);
        bool const old = c_.layout == Layout::detectron2 && dict_.has(kOldQueryFeatures.detectron2);
        c_.query_features = key(old ? kOldQueryFeatures : kQueryFeatures);
        c_.input_projection = dict_.has(key(kInput));
        found_.note("layout", c_.layout == Layout::detectron2 ? "detectron2" : "Hugging Face", key(kQueryPositions));
        found_.note("queries", fmt::format("{}", c_.queries), evidence(kQueryPositions, *positions));
        found_.note("hidden_dim", fmt::format("{}", c_.channels), evidence(kQueryPositions, *positions));
        found_.note("classes", fmt::format("{}", c_.classes), evidence(kClass, *classes));
        found_.note("decoder_layers", fmt::format("{}", c_.query_layers), key(kQueryFc1, c_.query_layers - 1));
        found_.note("decoder_hidden", fmt::format("{}", c_.query_hidden), evidence(kQueryFc1, *fc1));
        return demand(c_.classes >= 1, key(kClass) + " (no classes beside \"no object\")");
    }

    bool read_pixel_decoder() {
        auto const mask = shape(kMaskFeatures, 4);
        auto const fc1 = shape(kPixelFc1, 2);
        if (!mask || !fc1) return false;
        c_.mask_channels = (*mask)[0];
        c_.pixel_channels = (*mask)[1];
        c_.pixel_hidden = (*fc1)[0];
        c_.pixel_layers = count_layers(kPixelFc1);
        found_.note("mask_dim", fmt::format("{}", c_.mask_channels), evidence(kMaskFeatures, *mask));
        found_.note("feature_dim", fmt::format("{}", c_.pixel_channels), evidence(kMaskFeatures, *mask));
        found_.note("encoder_layers", fmt::format("{}", c_.pixel_layers), key(kPixelFc1, c_.pixel_layers - 1));
        found_.note("encoder_hidden", fmt::format("{}", c_.pixel_hidden), evidence(kPixelFc1, *fc1));
        // GroupNorm's 32 groups; sine positions go in pairs for rows and for columns.
        return demand(c_.pixel_channels % 32 == 0, fmt::format("{} ({} channels do not divide into 32 groups)",
                                                               key(kMaskFeatures), c_.pixel_channels)) &&
               demand(c_.channels % 4 == 0,
                      fmt::format("{} ({} channels are no multiple of 4)", key(kQueryPositions), c_.channels));
    }

    bool read_heads() {
        auto const offsets = shape(kOffsets, 2);
        if (!offsets) return false;
        read_head_count();
        auto const per_point = std::int64_t{2} * c_.heads * static_cast<std::int64_t>(kLevels);
        c_.points = static_cast<int>(std::min<std::int64_t>((*offsets)[0] / per_point, 1024));
        found_.note("points", fmt::format("{}", c_.points), evidence(kOffsets, *offsets));
        return demand(
            c_.points >= 1 && (*offsets)[0] == c_.points * per_point && c_.pixel_channels % c_.heads == 0 &&
                c_.channels % c_.heads == 0,
            fmt::format("{} ({} heads and 3 levels do not fit its shape {})", key(kOffsets), c_.heads, offsets->str()));
    }

    void read_head_count() {
        std::string evidence = "convention: 8 in every published network";
        auto const setting = overrides_.find(std::string(kHeadsSetting));
        auto const configured = number_setting(dict_, "num_attention_heads");
        if (setting != overrides_.end()) {
            c_.heads = static_cast<int>(std::min(positive_number(*setting), kMaxHeads));
            evidence = "--set";
        } else if (configured) {
            c_.heads = static_cast<int>(std::min<double>(*configured, kMaxHeads));
            evidence = "config.json num_attention_heads";
        }
        c_.heads = std::max(c_.heads, 1);
        found_.note(std::string(kHeadsSetting), fmt::format("{}", c_.heads), evidence);
    }

    /// A config.json that tells of another network than the weights do belongs to other weights.
    void check_config() const {
        check_setting(dict_, "num_queries", c_.queries, key(kQueryPositions));
        check_setting(dict_, "hidden_dim", c_.channels, key(kQueryPositions));
        check_setting(dict_, "dim_feedforward", c_.query_hidden, key(kQueryFc1));
        check_setting(dict_, "decoder_layers", c_.query_layers + 1, key(kQueryFc1, c_.query_layers - 1));
        check_setting(dict_, "feature_size", c_.pixel_channels, key(kMaskFeatures));
        check_setting(dict_, "mask_feature_size", c_.mask_channels, key(kMaskFeatures));
        check_setting(dict_, "encoder_feedforward_dim", c_.pixel_hidden, key(kPixelFc1));
        check_setting(dict_, "encoder_layers", c_.pixel_layers, key(kPixelFc1, c_.pixel_layers - 1));
        demand_setting(dict_, "pre_norm", "false");
        demand_setting(dict_, "activation_function", "relu");
    }

    [[nodiscard]] ModelInfo describe() {
        ModelInfo info;
        info.family = "Mask2Former";
        info.kind = Task::segment;
        info.task = "segmentation (panoptic, instance or semantic)";
        info.variant =
            fmt::format("Mask2Former {}, {} queries, {} classes", name_of(c_.backbone), c_.queries, c_.classes);
        info.tile_multiple = 32;
        info.mixes_whole_picture = true;
        info.segmentation = read_segmentation_info(dict_, c_.classes);
        info.hyperparameters = std::move(found_.hyperparameters);
        bool const trains =
            std::ranges::any_of(dict_.tensors(), [](auto const& t) { return is_for_training(t.first); });
        if (trains) info.notes.emplace_back("criterion.* is for training only: ignored");
        return info;
    }

    [[nodiscard]] std::string evidence(Name const& name, Shape const& found) const {
        return key(name) + " " + found.str();
    }

    StateDict const& dict_;
    Overrides const& overrides_;
    Config c_;
    Findings found_;
};

}  // namespace

Graph build_graph(Config const& config, Weights& weights) {
    Graph graph;
    auto const picture = graph.add_input("input", {Dim(Symbol::n), Dim(Symbol::h), Dim(Symbol::w), 3});
    auto const features = build_backbone(graph, weights, config.backbone, picture);
    Parts parts(graph, weights, config.layout);
    build_query_decoder(parts, config, build_pixel_decoder(parts, config, features));
    return graph;
}

}  // namespace mask2former

DetectResult detect_mask2former(StateDict const& dict, Overrides const& overrides) {
    return mask2former::Detector(dict, overrides).detect();
}

}  // namespace vitrum
