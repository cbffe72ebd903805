// SPDX-License-Identifier: Apache-2.0
// ResNet with bottlenecks (He et al. 2016) under Mask2Former: its configuration and its graph, in detectron2's and in
// Hugging Face's names. Batch norms are folded into the convolutions as they are read.
#include <fmt/ranges.h>

#include "mask2former_backbone_detect.h"
#include "models/batch_norm.h"
#include "models/overrides.h"
#include "models/settings.h"

namespace vitrum::mask2former {
namespace {

/// A convolution and the batch norm behind it.
struct ConvNames {
    std::string conv, norm;
    [[nodiscard]] std::string weight() const { return conv + ".weight"; }
};

/// What the parts of a ResNet are called in the two layouts.
class ResNetNames {
public:
    explicit ResNetNames(Layout layout) : hf_(layout == Layout::hugging_face) {}

    [[nodiscard]] ConvNames stem() const {
        return both(hf_ ? "model.pixel_level_module.encoder.embedder.embedder" : "backbone.stem.conv1");
    }
    [[nodiscard]] std::string stage(std::size_t i) const {
        return hf_ ? fmt::format("model.pixel_level_module.encoder.encoder.stages.{}.layers", i)
                   : fmt::format("backbone.res{}", i + 2);
    }
    [[nodiscard]] std::string block(std::size_t i, int j) const { return fmt::format("{}.{}", stage(i), j); }
    /// The block's convolutions 0, 1 and 2.
    [[nodiscard]] ConvNames conv(std::string const& block, int index) const {
        return both(hf_ ? fmt::format("{}.layer.{}", block, index) : fmt::format("{}.conv{}", block, index + 1));
    }
    [[nodiscard]] ConvNames shortcut(std::string const& block) const { return both(block + ".shortcut"); }

private:
    [[nodiscard]] ConvNames both(std::string const& name) const {
        return hf_ ? ConvNames{name + ".convolution", name + ".normalization"} : ConvNames{name, name + ".norm"};
    }

    bool hf_;
};

class ResNetReader {
public:
    ResNetReader(StateDict const& dict, Layout layout, Overrides const& overrides, Findings& findings)
        : dict_(dict), names_(layout), overrides_(overrides), findings_(findings) {
        c_.layout = layout;
    }

    std::optional<ResNetConfig> read() {
        auto const stem = shape(names_.stem().weight());
        if (!stem) return std::nullopt;
        c_.stem = (*stem)[0];
        c_.in_channels = (*stem)[1];
        if ((*stem)[2] != 7 || c_.stem < 1 || c_.in_channels < 1) {
            findings_.missing.push_back(
                fmt::format("{} (a first convolution of 7 x 7, not {})", names_.stem().weight(), stem->str()));
            return std::nullopt;
        }
        for (std::size_t stage = 0; stage < 4; ++stage) {
            if (!read_stage(stage)) return std::nullopt;
        }
        check_config();
        describe();
        read_stride();
        return c_;
    }

private:
    std::optional<Shape> shape(std::string const& key) {
        auto found = dict_.shape(key, 4);
        if (!found) findings_.missing.push_back(key);
        return found;
    }

    bool read_stage(std::size_t stage) {
        auto const first = names_.block(stage, 0);
        auto const middle = shape(names_.conv(first, 1).weight());
        auto const last = shape(names_.conv(first, 2).weight());
        if (!middle || !last) return false;
        int& depth = c_.depths[stage];
        while (dict_.has(names_.conv(names_.block(stage, depth), 0).weight())) ++depth;
        c_.bottleneck[stage] = (*middle)[0];
        c_.channels[stage] = (*last)[0];
        if (depth > 0 && c_.bottleneck[stage] > 0 && c_.channels[stage] > 0 && (*middle)[2] == 3) return true;
        findings_.missing.push_back(first + " (no bottleneck of 1 x 1, 3 x 3 and 1 x 1)");
        return false;
    }

    void check_config() const {
        demand_setting(dict_, "backbone_config.layer_type", "bottleneck");
        demand_setting(dict_, "backbone_config.hidden_act", "relu");
        demand_setting(dict_, "backbone_config.downsample_in_first_stage", "false");
        check_setting(dict_, "backbone_config.embedding_size", c_.stem, names_.stem().weight());
        for (std::size_t i = 0; i < 4; ++i) {
            check_setting(dict_, fmt::format("backbone_config.hidden_sizes.{}", i), c_.channels[i],
                          names_.conv(names_.block(i, 0), 2).weight());
            check_setting(dict_, fmt::format("backbone_config.depths.{}", i), c_.depths[i],
                          "the number of " + names_.stage(i) + ".*");
        }
    }

    void describe() {
        findings_.note("backbone", name_of(c_), names_.stem().weight());
        findings_.note("depths", fmt::format("{}", fmt::join(c_.depths, ", ")), names_.stage(0) + ".*");
        findings_.note("channels", fmt::format("{}", fmt::join(c_.channels, ", ")),
                       names_.conv(names_.block(0, 0), 2).weight());
    }

    void read_stride() {
        std::string evidence = "convention: the published networks start from torchvision's weights";
        if (auto const place = setting(dict_, "backbone_config.downsample_in_bottleneck")) {
            c_.stride_in_1x1 = *place == "true";
            evidence = "config.json: backbone_config.downsample_in_bottleneck";
        }
        if (auto const set = overrides_.find("stride_in_1x1"); set != overrides_.end()) {
            c_.stride_in_1x1 = yes_or_no(*set);
            evidence = "--set";
        }
        findings_.note("stride_in_1x1", c_.stride_in_1x1 ? "yes" : "no", evidence);
    }

    StateDict const& dict_;
    ResNetNames names_;
    Overrides const& overrides_;
    Findings& findings_;
    ResNetConfig c_;
};

class ResNetBuilder {
public:
    ResNetBuilder(Graph& graph, Weights& weights, ResNetConfig const& config)
        : graph_(graph), weights_(weights), c_(config), names_(config.layout) {}

    std::array<ValueId, 4> build(ValueId picture) {
        auto x = relu(conv(picture, names_.stem(), {c_.in_channels, c_.stem, 7, 2}), names_.stem().conv);
        x = graph_.add(MaxPool2d{.kernel = 3, .stride = 2}, {x}, names_.stem().conv);
        std::array<ValueId, 4> maps{};
        std::int64_t channels = c_.stem;
        for (std::size_t stage = 0; stage < 4; ++stage) {
            for (int block = 0; block < c_.depths[stage]; ++block) {
                int const stride = stage > 0 && block == 0 ? 2 : 1;
                x = bottleneck(x, stage, block, channels, stride);
                channels = c_.channels[stage];
            }
            maps[stage] = x;
        }
        return maps;
    }

private:
    struct Size {
        std::int64_t in, out;
        int kernel, stride;
    };

    ValueId conv(ValueId x, ConvNames const& names, Size const& size) {
        auto const constants = get_conv_with_batch_norm(
            weights_, names.conv, {size.out, size.in, size.kernel, size.kernel}, ConvBias::absent, names.norm);
        return graph_.add(Conv2d{.kernel = size.kernel, .stride = size.stride},
                          {x, graph_.add_constant(names.weight(), constants.weight),
                           graph_.add_constant(names.conv + ".bias", constants.bias), kNone},
                          names.conv);
    }

    ValueId relu(ValueId x, std::string const& name) {
        return graph_.add(Activate{Activation::leaky_relu, 0.0F}, {x}, name);
    }

    ValueId bottleneck(ValueId x, std::size_t stage, int index, std::int64_t in, int stride) {
        auto const name = names_.block(stage, index);
        auto const inner = c_.bottleneck[stage];
        auto const out = c_.channels[stage];
        bool const projected = in != out || stride != 1;
        auto const shortcut = projected ? conv(x, names_.shortcut(name), {in, out, 1, stride}) : x;
        auto const first = names_.conv(name, 0);
        auto const second = names_.conv(name, 1);
        int const stride_1x1 = c_.stride_in_1x1 ? stride : 1;
        auto y = relu(conv(x, first, {in, inner, 1, stride_1x1}), first.conv);
        y = relu(conv(y, second, {inner, inner, 3, stride / stride_1x1}), second.conv);
        y = conv(y, names_.conv(name, 2), {inner, out, 1, 1});
        return relu(graph_.add(Add{}, {y, shortcut}, name), name);
    }

    Graph& graph_;
    Weights& weights_;
    ResNetConfig const& c_;
    ResNetNames names_;
};

}  // namespace

std::string resnet_stem_key(Layout layout) {
    return ResNetNames(layout).stem().weight();
}

std::optional<ResNetConfig> read_resnet(StateDict const& dict, Layout layout, Overrides const& overrides,
                                        Findings& findings) {
    return ResNetReader(dict, layout, overrides, findings).read();
}

std::array<ValueId, 4> build_resnet(Graph& graph, Weights& weights, ResNetConfig const& config, ValueId picture) {
    return ResNetBuilder(graph, weights, config).build(picture);
}

}  // namespace vitrum::mask2former
