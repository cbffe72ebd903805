// SPDX-License-Identifier: Apache-2.0
// Mask-guided Spectral-wise Transformer (MST) and MST++ (Cai et al. 2022): spectra from RGB pictures or snapshots.
#include "mst.h"

#include <fmt/ranges.h>

#include "base/check.h"
#include "models/family.h"

namespace vitrum {
namespace mst {
namespace {

/// Padding to 8 serves three halvings.
constexpr int kMaxLevels = 3;

/// Reads the configuration off keys and shapes; every value carries what it was read from.
class Detector {
public:
    Detector(StateDict const& dict, Variant variant) : dict_(dict) { c_.variant = variant; }

    DetectResult detect() {
        if (!read_ends() || !read_levels()) return Mismatch{missing_, {}};
        if (c_.variant == Variant::cassi && !is_cassi()) return Mismatch{missing_, {}};
        read_conventions();
        return Detection{.info = describe(),
                         .build = [config = c_](Weights& weights) { return build_graph(config, weights); },
                         .ignorable = [](std::string_view) { return false; },
                         .overrides = {}};
    }

private:
    void note(std::string name, std::string value, std::string evidence) {
        hyperparameters_.push_back({std::move(name), std::move(value), std::move(evidence)});
    }

    std::optional<Shape> shape(std::string const& name, int rank) {
        auto found = dict_.shape(name, rank);
        if (!found) missing_.push_back(name);
        return found;
    }

    /// The first and the last convolution.
    bool read_ends() {
        std::string const first = c_.variant == Variant::plus_plus ? "conv_in.weight"
                                  : c_.variant == Variant::rgb     ? "embedding_1.weight"
                                                                   : "embedding.weight";
        std::string const last = c_.variant == Variant::plus_plus ? "conv_out.weight" : "mapping.weight";
        auto const in = shape(first, 4);
        auto const out = shape(last, 4);
        if (!in || !out) return false;
        c_.dim = (*in)[0];
        c_.in_channels = (*in)[1];
        c_.out_channels = (*out)[0];
        // What the last convolution is added to.
        auto const summand = c_.variant == Variant::cassi ? c_.in_channels : c_.dim;
        if (c_.dim < 1 || c_.in_channels < 1 || c_.out_channels != summand) {
            missing_.push_back(fmt::format("{} ({} output channels are added to {})", last, c_.out_channels, summand));
            return false;
        }
        if (c_.variant == Variant::cassi && c_.dim != c_.in_channels) {
            missing_.push_back(
                fmt::format("{} ({} features guided by a mask of {} bands)", first, c_.dim, c_.in_channels));
            return false;
        }
        note("in_channels", fmt::format("{}", c_.in_channels), first + " " + in->str());
        note("out_channels", fmt::format("{}", c_.out_channels), last + " " + out->str());
        note("dim", fmt::format("{}", c_.dim), first + " " + in->str());
        return true;
    }

    [[nodiscard]] std::string rescale_key(std::string const& blocks, int block) const {
        return fmt::format("{}{}.blocks.{}.0.rescale", stage_prefix(c_.variant, 0), blocks, block);
    }

    bool read_levels() {
        int levels = 0;
        auto const encoder = [](int level) { return fmt::format("encoder_layers.{}.0", level); };
        while (levels <= kMaxLevels && dict_.has(rescale_key(encoder(levels), 0))) ++levels;
        if (levels == 0 || levels > kMaxLevels) {
            missing_.push_back(fmt::format("{} (1 to {} levels)", rescale_key(encoder(0), 0), kMaxLevels));
            return false;
        }
        for (int level = 0; level <= levels; ++level) {
            if (!read_blocks(level < levels ? encoder(level) : "bottleneck", level)) return false;
        }
        note("num_blocks", fmt::format("{}", fmt::join(c_.blocks, ", ")),
             stage_prefix(c_.variant, 0) + "encoder_layers.*.0.blocks.*, bottleneck.blocks.*");
        note("num_heads", fmt::format("{}", fmt::join(c_.heads, ", ")), "….blocks.0.0.rescale");
        if (c_.variant != Variant::plus_plus) return true;
        while (dict_.has(stage_prefix(c_.variant, c_.stages) + "embedding.weight")) ++c_.stages;
        note("stages", fmt::format("{}", c_.stages), "body.*.embedding.weight");
        return true;
    }

    bool read_blocks(std::string const& name, int level) {
        auto const rescale = shape(rescale_key(name, 0), 3);
        if (!rescale) return false;
        auto const channels = c_.dim << level;
        auto const heads = (*rescale)[0];
        if (heads < 1 || channels % heads != 0) {
            missing_.push_back(
                fmt::format("{} ({} heads do not divide {} channels)", rescale_key(name, 0), heads, channels));
            return false;
        }
        int count = 0;
        while (dict_.has(rescale_key(name, count))) ++count;
        c_.blocks.push_back(count);
        c_.heads.push_back(static_cast<int>(heads));
        return true;
    }

    /// The variants that share the snapshot network's keys, by name.
    bool is_cassi() {
        if (dict_.has("encoder_layers.0.0.blocks.0.0.mm.conv1.weight")) {
            note("mask", "second input", "….blocks.*.0.mm.*");
            return true;
        }
        missing_.push_back(dict_.has("fution.weight")
                               ? "….mm.* (with fution.weight and without a mask this is the real-data variant of MST, "
                                 "whose initial_x starts from the raw snapshot; the simulation variants are supported)"
                               : "encoder_layers.0.0.blocks.0.0.mm.conv1.weight");
        return false;
    }

    void read_conventions() {
        if (c_.variant == Variant::cassi) {
            note("mask shift", fmt::format("{} columns a band at {} rows", kCassiStep, kCassiRows), "convention");
        } else {
            note("wavelengths", "400-700 nm", "convention");
        }
    }

    [[nodiscard]] std::string variant_name() const {
        if (c_.variant == Variant::plus_plus) return fmt::format("MST++, {} stages", c_.stages);
        std::string name = "MST";
        if (c_.blocks == std::vector{2, 2, 2}) name += "-S";
        if (c_.blocks == std::vector{2, 4, 4}) name += "-M";
        if (c_.blocks == std::vector{4, 7, 5}) name += "-L";
        return name;
    }

    [[nodiscard]] ModelInfo describe() const {
        bool const cassi = c_.variant == Variant::cassi;
        ModelInfo info;
        info.family = c_.variant == Variant::plus_plus ? "MST++" : "MST";
        info.task = cassi ? "snapshot spectral imaging" : "spectral reconstruction";
        info.variant =
            fmt::format("{}, {} to {} bands", variant_name(), cassi ? "snapshot and mask" : "RGB", c_.out_channels);
        info.kind = Task::spectral;
        info.in_channels = static_cast<int>(c_.in_channels);
        info.out_channels = static_cast<int>(c_.out_channels);
        info.tile_multiple = 1 << kMaxLevels;
        info.mixes_whole_picture = true;
        if (cassi) info.sizes = {.multiple = 1 << c_.levels(), .largest = kCassiRows, .square = true};
        info.hyperparameters = hyperparameters_;
        return info;
    }

    StateDict const& dict_;
    Config c_;
    std::vector<std::string> missing_;
    std::vector<Hyperparameter> hyperparameters_;
};

}  // namespace
}  // namespace mst

DetectResult detect_mst_plus_plus(StateDict const& dict, Overrides const&) {
    return mst::Detector(dict, mst::Variant::plus_plus).detect();
}

DetectResult detect_mst(StateDict const& dict, Overrides const&) {
    auto const variant = dict.has("embedding_1.weight") ? mst::Variant::rgb : mst::Variant::cassi;
    return mst::Detector(dict, variant).detect();
}

}  // namespace vitrum
