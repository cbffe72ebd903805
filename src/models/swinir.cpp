// SPDX-License-Identifier: Apache-2.0
// SwinIR: Image Restoration Using Swin Transformer (Liang et al. 2021), all published variants.
#include "swinir.h"

#include <algorithm>
#include <cmath>

#include <fmt/ranges.h>

#include "base/check.h"
#include "models/family.h"
#include "models/overrides.h"

namespace vitrum {
namespace swinir {
namespace {

/// Reads the configuration off keys and shapes; every value carries what it was read from.
class Detector {
public:
    Detector(StateDict const& dict, Overrides const& overrides) : dict_(dict), overrides_(overrides) {}

    DetectResult detect() {
        if (!read_body() || !read_upsampler()) return Mismatch{missing_, {}};
        if (dict_.has("absolute_pos_embed")) {
            return Mismatch{{}, {"absolute_pos_embed (a SwinIR with absolute positions fits one picture size only)"}};
        }
        read_shifts();
        read_conventions();
        return Detection{.info = describe(),
                         .build = [config = c_](Weights& weights) { return build_graph(config, weights); },
                         .ignorable =
                             [](std::string_view key) {
                                 return key.ends_with(".attn_mask") || key.ends_with(".relative_position_index") ||
                                        key == "mean";
                             },
                         .overrides = {"img_range", "rgb_mean"}};
    }

private:
    std::optional<Shape> shape(std::string const& name, int rank) {
        auto found = dict_.shape(name, rank);
        if (!found) missing_.push_back(name);
        return found;
    }

    void note(std::string name, std::string value, std::string evidence) {
        hyperparameters_.push_back({std::move(name), std::move(value), std::move(evidence)});
    }

    bool read_body() {
        auto const first = shape("conv_first.weight", 4);
        auto const table_key = block_key(0, 0) + ".attn.relative_position_bias_table";
        auto const table = shape(table_key, 2);
        if (!first || !table) return false;
        c_.embed_dim = (*first)[0];
        c_.in_channels = c_.out_channels = (*first)[1];
        auto const span = static_cast<int>(std::lround(std::sqrt(static_cast<double>((*table)[0]))));
        c_.window = (span + 1) / 2;
        // Windows of published networks are 7 and 8; the bound keeps a damaged file from asking for absurd scratch.
        constexpr int kMaxWindow = 32;
        if (std::int64_t{span} * span != (*table)[0] || span % 2 == 0 || c_.window < 2 || c_.window > kMaxWindow ||
            c_.embed_dim < 1 || c_.in_channels < 1) {
            missing_.push_back(fmt::format("{} (no window fits its shape {})", table_key, table->str()));
            return false;
        }
        note("in_channels", fmt::format("{}", c_.in_channels), "conv_first.weight " + first->str());
        note("embed_dim", fmt::format("{}", c_.embed_dim), "conv_first.weight " + first->str());
        note("window_size", fmt::format("{}", c_.window), table_key + " " + table->str());
        return read_layers();
    }

    bool read_layers() {
        for (std::size_t layer = 0; dict_.has(block_key(layer, 0) + ".norm1.weight"); ++layer) {
            int depth = 0;
            while (dict_.has(block_key(layer, depth) + ".norm1.weight")) ++depth;
            auto const table = shape(block_key(layer, 0) + ".attn.relative_position_bias_table", 2);
            auto const fc1 = shape(block_key(layer, 0) + ".mlp.fc1.weight", 2);
            if (!table || !fc1) return false;
            auto const heads = (*table)[1];
            if (heads < 1 || c_.embed_dim % heads != 0 || (*fc1)[0] < 1) {
                missing_.push_back(
                    fmt::format("layers.{} ({} heads do not divide {} channels)", layer, heads, c_.embed_dim));
                return false;
            }
            c_.depths.push_back(depth);
            c_.heads.push_back(static_cast<int>(heads));
            c_.mlp_hidden.push_back((*fc1)[0]);
        }
        if (c_.depths.empty()) {
            missing_.push_back(block_key(0, 0) + ".norm1.weight");
            return false;
        }
        c_.three_convs = dict_.has("conv_after_body.0.weight");
        if (c_.three_convs && c_.embed_dim < 4) {
            missing_.push_back("conv_after_body.0.weight (a bottleneck of a quarter needs 4 channels)");
            return false;
        }
        c_.qkv_bias = dict_.has(block_key(0, 0) + ".attn.qkv.bias");
        note("depths", fmt::format("{}", fmt::join(c_.depths, ", ")), "layers.*.residual_group.blocks.*");
        note("num_heads", fmt::format("{}", fmt::join(c_.heads, ", ")),
             "layers.*.…blocks.0.attn.relative_position_bias_table");
        note("mlp_hidden", fmt::format("{}", fmt::join(c_.mlp_hidden, ", ")), "layers.*.…blocks.0.mlp.fc1.weight");
        note("resi_connection", c_.three_convs ? "3conv" : "1conv",
             c_.three_convs ? "conv_after_body.0.weight" : "no conv_after_body.0.weight");
        return true;
    }

    bool read_upsampler() {
        if (auto const before = dict_.shape("conv_before_upsample.0.weight", 4)) {
            c_.features = (*before)[0];
            if (c_.features < 1) {
                missing_.push_back("conv_before_upsample.0.weight (no output channels)");
                return false;
            }
            return dict_.has("conv_up1.weight") ? read_nearest_conv() : read_pixel_shuffle();
        }
        if (auto const direct = dict_.shape("upsample.0.weight", 4)) {
            c_.upsampler = Upsampler::pixel_shuffle_direct;
            auto const ratio = static_cast<double>((*direct)[0]) / static_cast<double>(c_.out_channels);
            c_.scale = static_cast<int>(std::lround(std::sqrt(ratio)));
            note("upsampler", "pixelshuffledirect", "upsample.0.weight without conv_before_upsample");
            note("scale", fmt::format("{}", c_.scale), "upsample.0.weight " + direct->str());
            return is_scale_sane("upsample.0.weight");
        }
        if (!shape("conv_last.weight", 4)) return false;
        note("upsampler", "none", "no upsample.* and no conv_before_upsample");
        note("scale", "1", "no upsample.*");
        return true;
    }

    bool read_nearest_conv() {
        c_.upsampler = Upsampler::nearest_conv;
        c_.scale = dict_.has("conv_up2.weight") ? 4 : 2;
        note("upsampler", "nearest+conv", "conv_up1.weight");
        note("scale", fmt::format("{}", c_.scale),
             dict_.has("conv_up2.weight") ? "conv_up2.weight" : "no conv_up2.weight");
        return true;
    }

    bool read_pixel_shuffle() {
        c_.upsampler = Upsampler::pixel_shuffle;
        std::string evidence;
        for (int i = 0;; i += 2) {
            auto const key = fmt::format("upsample.{}.weight", i);
            auto const step = dict_.shape(key, 4);
            if (!step || c_.scale > 16) break;
            auto const ratio =
                static_cast<double>((*step)[0]) / static_cast<double>(std::max<std::int64_t>((*step)[1], 1));
            c_.upsample_factors.push_back(static_cast<int>(std::lround(std::sqrt(std::min(ratio, 1e6)))));
            c_.scale *= c_.upsample_factors.back();
            evidence += (evidence.empty() ? "" : ", ") + key + " " + step->str();
        }
        note("upsampler", "pixelshuffle", "conv_before_upsample.0.weight and upsample.*");
        note("scale", fmt::format("{}", c_.scale), evidence.empty() ? "no upsample.*" : evidence);
        return is_scale_sane("upsample.0.weight");
    }

    bool is_scale_sane(std::string const& key) {
        if (c_.scale >= 1 && c_.scale <= 16) return true;
        missing_.push_back(key + " (its shape gives no scale between 1 and 16)");
        return false;
    }

    /// Odd blocks are shifted by half a window, unless the network was trained on pictures of one window: then
    /// the original shifts nothing. Its attn_mask buffers tell, where the file kept them.
    void read_shifts() {
        bool const has_masks =
            std::ranges::any_of(dict_.tensors(), [](auto const& t) { return t.first.ends_with(".attn_mask"); });
        for (std::size_t layer = 0; layer < c_.depths.size(); ++layer) {
            auto& shifts = c_.shifts.emplace_back();
            for (int block = 0; block < c_.depths[layer]; ++block) {
                bool const shifted = has_masks ? dict_.has(block_key(layer, block) + ".attn_mask") : block % 2 == 1;
                shifts.push_back(shifted ? c_.window / 2 : 0);
            }
        }
        note("shift", fmt::format("{} in odd blocks", c_.window / 2),
             has_masks ? "attn_mask buffers" : "convention: half a window in every other block");
    }

    void read_conventions() {
        bool const jpeg = c_.upsampler == Upsampler::none && c_.window == 7;
        c_.img_range = jpeg ? 255.0F : 1.0F;
        note_override("img_range", fmt::format("{}", c_.img_range),
                      jpeg ? "convention: window 7 is the JPEG network" : "convention");
        if (auto const value = overrides_.find("img_range"); value != overrides_.end()) {
            c_.img_range = positive_number(*value);
        }
        c_.mean.assign(static_cast<std::size_t>(c_.in_channels), 0.0F);
        if (c_.in_channels == 3) c_.mean = {0.4488F, 0.4371F, 0.4040F};
        note_override("rgb_mean", fmt::format("{}", fmt::join(c_.mean, ", ")),
                      c_.in_channels == 3 ? "convention: DIV2K's mean" : "convention: none but for RGB");
        if (auto const value = overrides_.find("rgb_mean"); value != overrides_.end()) {
            c_.mean = number_list(*value, c_.mean.size());
        }
    }

    void note_override(std::string const& name, std::string value, std::string evidence) {
        auto const set = overrides_.find(name);
        if (set == overrides_.end()) note(name, std::move(value), std::move(evidence));
        else note(name, set->second, "--set");
    }

    [[nodiscard]] std::string task() const {
        std::string const colour = c_.in_channels == 1 ? "grey" : "colour";
        switch (c_.upsampler) {
            case Upsampler::pixel_shuffle: return "classical super-resolution";
            case Upsampler::pixel_shuffle_direct: return "lightweight super-resolution";
            case Upsampler::nearest_conv: return "real-world super-resolution";
            case Upsampler::none: break;
        }
        return colour + (c_.window == 7 ? " JPEG artefact removal" : " denoising");
    }

    [[nodiscard]] ModelInfo describe() const {
        ModelInfo info{
            .family = "SwinIR",
            .task = task(),
            .variant = fmt::format("SwinIR {}{}", task(), c_.scale > 1 ? fmt::format(" ×{}", c_.scale) : ""),
            .scale = c_.scale,
            .in_channels = static_cast<int>(c_.in_channels),
            .out_channels = static_cast<int>(c_.out_channels),
            .value_range = 1.0,
            .tile_multiple = c_.window,
            // Context fades long before the theoretical field ends: the original's tools overlap tiles by 32.
            .receptive_radius = 32,
            .parameters = 0,
            .format = "",
            .hyperparameters = hyperparameters_,
            .notes = {}};
        return info;
    }

    StateDict const& dict_;
    Overrides const& overrides_;
    Config c_;
    std::vector<std::string> missing_;
    std::vector<Hyperparameter> hyperparameters_;
};

}  // namespace
}  // namespace swinir

DetectResult detect_swinir(StateDict const& dict, Overrides const& overrides) {
    return swinir::Detector(dict, overrides).detect();
}

}  // namespace vitrum
