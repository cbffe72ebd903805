// SPDX-License-Identifier: Apache-2.0
// ELAN: Efficient Long-Range Attention Network for Image Super-Resolution (Zhang et al. 2022), light and full.
#include "elan.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/ranges.h>

#include "base/check.h"
#include "models/family.h"
#include "models/overrides.h"

namespace vitrum {
namespace elan {
namespace {

/// Reads the configuration off keys and shapes; every value carries what it was read from.
class Detector {
public:
    Detector(StateDict const& dict, Overrides const& overrides) : dict_(dict), overrides_(overrides) {}

    DetectResult detect() {
        if (!read_body() || !read_scale()) return Mismatch{missing_, {}};
        read_windows();
        read_shifts();
        read_range();
        return Detection{.info = describe(),
                         .build = [config = c_](Weights& weights) { return build_graph(config, weights); },
                         .ignorable =
                             [](std::string_view key) {
                                 // The shifts as filters of one 1 each, and the batch norms' step counts.
                                 return key.ends_with(".shift_conv.weight") || key.ends_with(".mask") ||
                                        key.ends_with(".num_batches_tracked");
                             },
                         .overrides = {"window_sizes", "shifted_blocks", "rgb_range"}};
    }

private:
    std::optional<Shape> shape(std::string const& name) {
        auto found = dict_.shape(name, 4);
        if (!found) missing_.push_back(name);
        return found;
    }

    bool refuse(std::string const& key, std::string_view why) {
        missing_.push_back(fmt::format("{} ({})", key, why));
        return false;
    }

    void note(std::string name, std::string value, std::string evidence) {
        hyperparameters_.push_back({std::move(name), std::move(value), std::move(evidence)});
    }

    bool read_body() {
        if (dict_.has("head.weight")) c_.naming = Naming::lists;
        auto const head_key = c_.head() + ".weight";
        auto const fc1_key = c_.lfe_conv(0, 0, 0) + ".weight";
        auto const head = shape(head_key);
        auto const fc1 = shape(fc1_key);
        if (!head || !fc1) return false;
        c_.channels = (*head)[0];
        c_.hidden = (*fc1)[0];
        if (c_.channels < 3 || c_.channels % 3 != 0) {
            return refuse(head_key, fmt::format("{} channels do not divide into three groups", c_.channels));
        }
        if (c_.hidden < 1) return refuse(fc1_key, "no output channels");
        // Not project_inp: where its batch norm is folded, as in ONNX files, no tensor has its name.
        while (dict_.has(c_.gmsa(c_.blocks, 0) + ".project_out.weight")) ++c_.blocks;
        while (dict_.has(c_.gmsa(0, c_.n_share + 1) + ".project_out.weight")) ++c_.n_share;
        if (c_.blocks == 0) return refuse(c_.gmsa(0, 0) + ".project_out.weight", "no blocks");
        note("c_elan", fmt::format("{}", c_.channels), head_key + " " + head->str());
        note("hidden", fmt::format("{}", c_.hidden), fc1_key + " " + fc1->str());
        note("n_share", fmt::format("{}", c_.n_share), "body.0.modules_gmsa.*");
        note("m_elan", fmt::format("{}", c_.blocks * (1 + c_.n_share)),
             fmt::format("{} blocks body.*, times 1 + n_share", c_.blocks));
        return true;
    }

    bool read_scale() {
        auto const tail = shape("tail.0.weight");
        if (!tail) return false;
        double const ratio = static_cast<double>((*tail)[0]) / 3;
        c_.scale = static_cast<int>(std::lround(std::sqrt(std::clamp(ratio, 0.0, 1e6))));
        if (c_.scale < 1 || c_.scale > 16) {
            return refuse("tail.0.weight", "its shape gives no scale between 1 and 16");
        }
        note("scale", fmt::format("{}", c_.scale), "tail.0.weight " + tail->str());
        return true;
    }

    void read_windows() {
        auto const set = overrides_.find("window_sizes");
        if (set != overrides_.end()) {
            auto const sizes = number_list(*set, c_.windows.size());
            for (std::size_t i = 0; i < sizes.size(); ++i) {
                c_.windows[i] = static_cast<int>(std::clamp(sizes[i], 0.0F, 64.0F));
                bool const ok = static_cast<float>(c_.windows[i]) == sizes[i] && c_.windows[i] >= 2 &&
                                c_.windows[i] <= 32 && c_.windows[i] % 2 == 0;
                if (!ok)
                    fail_as(ErrorKind::usage, "--set window_sizes={}: even sizes from 2 to 32 are needed", set->second);
            }
        }
        note("window_sizes", fmt::format("{}", fmt::join(c_.windows, ", ")),
             set != overrides_.end() ? "--set" : "convention: 4, 8 and 16, the published networks'");
    }

    void read_shifts() {
        auto const set = overrides_.find("shifted_blocks");
        std::string const which = set != overrides_.end() ? set->second : "odd";
        if (which != "odd" && which != "even" && which != "all" && which != "none") {
            fail_as(ErrorKind::usage, "--set shifted_blocks={}: odd, even, all or none is needed", which);
        }
        for (int block = 0; block < c_.blocks; ++block) {
            bool const odd = block % 2 == 1;
            c_.shifted.push_back(which == "all" || (which == "odd" && odd) || (which == "even" && !odd));
        }
        note("shifted_blocks", which,
             set != overrides_.end() ? "--set" : "convention: half a window in every other block");
    }

    void read_range() {
        auto const set = overrides_.find("rgb_range");
        if (set != overrides_.end()) range_ = positive_number(*set);
        note("rgb_range", fmt::format("{:g}", range_), set != overrides_.end() ? "--set" : "convention");
        note("rgb_mean", "the file's", "sub_mean.bias, add_mean.bias");
    }

    [[nodiscard]] ModelInfo describe() const {
        std::string const name = c_.n_share > 0 ? "ELAN-light" : "ELAN";
        ModelInfo info;
        info.family = "ELAN";
        info.task = c_.n_share > 0 ? "lightweight super-resolution" : "super-resolution";
        info.variant = fmt::format("{} ×{}", name, c_.scale);
        info.scale = c_.scale;
        info.value_range = range_;
        info.tile_multiple = window_multiple(c_.windows);
        // Set5 (×2 pictures through the light ×4): overlaps of 16, 32, 64 pixels stay within 61, 62, 63 dB of whole
        // pictures. What is left is the cyclic shift, which joins a picture's opposite edges, or a tile's.
        info.receptive_radius = 32;
        info.hyperparameters = hyperparameters_;
        return info;
    }

    StateDict const& dict_;
    Overrides const& overrides_;
    Config c_;
    double range_ = 255;
    std::vector<std::string> missing_;
    std::vector<Hyperparameter> hyperparameters_;
};

}  // namespace

std::string Config::head() const {
    return naming == Naming::keys ? "head.0" : "head";
}

std::string Config::gmsa(int block, int pair) const {
    return fmt::format("body.{}.modules_gmsa.{}{}", block, naming == Naming::keys ? "gmsa_" : "", pair);
}

std::string Config::lfe_conv(int block, int pair, int conv) const {
    if (naming == Naming::lists) return fmt::format("body.{}.modules_lfe.{}.lfe.{}", block, pair, 2 * conv);
    return fmt::format("body.{}.modules_lfe.lfe_{}.conv{}.shift_conv.conv1x1", block, pair, conv);
}

int window_multiple(std::array<int, 3> const& windows) {
    return std::lcm(std::lcm(windows[0], windows[1]), windows[2]);
}

}  // namespace elan

DetectResult detect_elan(StateDict const& dict, Overrides const& overrides) {
    return elan::Detector(dict, overrides).detect();
}

}  // namespace vitrum
