// SPDX-License-Identifier: Apache-2.0
// Swin (Liu et al. 2021) under Mask2Former: its configuration and its graph, in detectron2's and in Hugging Face's
// names.
#include <cmath>
#include <cstring>

#include <fmt/ranges.h>

#include "base/buffer.h"
#include "mask2former_backbone_detect.h"
#include "models/settings.h"

namespace vitrum::mask2former {
namespace {

/// What the parts of a Swin are called in the two layouts.
class SwinNames {
public:
    explicit SwinNames(Layout layout) : hf_(layout == Layout::hugging_face) {}

    [[nodiscard]] bool split_qkv() const { return hf_; }
    [[nodiscard]] std::string patch() const {
        return prefix() + (hf_ ? "embeddings.patch_embeddings.projection" : "patch_embed.proj");
    }
    [[nodiscard]] std::string patch_norm() const { return prefix() + (hf_ ? "embeddings.norm" : "patch_embed.norm"); }
    [[nodiscard]] std::string stage(std::size_t i) const {
        return fmt::format("{}{}layers.{}", prefix(), hf_ ? "encoder." : "", i);
    }
    [[nodiscard]] std::string block(std::size_t i, int j) const { return fmt::format("{}.blocks.{}", stage(i), j); }
    [[nodiscard]] std::string output_norm(std::size_t i) const {
        return hf_ ? fmt::format("{}hidden_states_norms.stage{}", prefix(), i + 1)
                   : fmt::format("{}norm{}", prefix(), i);
    }

    // Within a block.
    [[nodiscard]] std::string norm1() const { return hf_ ? ".layernorm_before" : ".norm1"; }
    [[nodiscard]] std::string norm2() const { return hf_ ? ".layernorm_after" : ".norm2"; }
    [[nodiscard]] std::string attention() const { return hf_ ? ".attention.self" : ".attn"; }
    [[nodiscard]] std::string bias_table() const { return attention() + ".relative_position_bias_table"; }
    [[nodiscard]] std::string first_qkv() const { return attention() + (hf_ ? ".query" : ".qkv"); }
    [[nodiscard]] std::string projection() const { return hf_ ? ".attention.output.dense" : ".attn.proj"; }
    [[nodiscard]] std::string fc1() const { return hf_ ? ".intermediate.dense" : ".mlp.fc1"; }
    [[nodiscard]] std::string fc2() const { return hf_ ? ".output.dense" : ".mlp.fc2"; }

private:
    [[nodiscard]] std::string prefix() const { return hf_ ? "model.pixel_level_module.encoder." : "backbone."; }

    bool hf_;
};

class SwinReader {
public:
    SwinReader(StateDict const& dict, Layout layout, Findings& findings)
        : dict_(dict), names_(layout), findings_(findings) {
        c_.layout = layout;
    }

    std::optional<SwinConfig> read() {
        if (!read_stem()) return std::nullopt;
        for (std::size_t stage = 0; stage < 4; ++stage) {
            if (!read_stage(stage)) return std::nullopt;
        }
        c_.qkv_bias = dict_.has(names_.block(0, 0) + names_.first_qkv() + ".bias");
        c_.norm_epsilon = static_cast<float>(number_setting(dict_, "backbone_config.layer_norm_eps").value_or(1e-5));
        check_config();
        describe();
        return c_;
    }

private:
    bool wrong(std::string what) {
        findings_.missing.push_back(std::move(what));
        return false;
    }

    std::optional<Shape> shape(std::string const& key, int rank) {
        auto found = dict_.shape(key, rank);
        if (!found) findings_.missing.push_back(key);
        return found;
    }

    bool read_stem() {
        auto const key = names_.patch() + ".weight";
        auto const patch = shape(key, 4);
        if (!patch) return false;
        c_.embed_dim = (*patch)[0];
        c_.in_channels = (*patch)[1];
        constexpr std::int64_t kMaxChannels = 4096;  // the bound keeps a damaged file from asking for absurd scratch
        if ((*patch)[2] != c_.patch || (*patch)[3] != c_.patch || c_.embed_dim < 1 || c_.embed_dim > kMaxChannels ||
            c_.in_channels < 1) {
            return wrong(fmt::format("{} (no embedding of 4 x 4 pixels has its shape {})", key, patch->str()));
        }
        return true;
    }

    bool read_stage(std::size_t stage) {
        auto const first = names_.block(stage, 0);
        auto const table_key = first + names_.bias_table();
        auto const table = shape(table_key, 2);
        auto const fc1 = shape(first + names_.fc1() + ".weight", 2);
        if (!table || !fc1) return false;
        int& depth = c_.depths[stage];
        while (dict_.has(names_.block(stage, depth) + names_.norm1() + ".weight")) ++depth;
        if (depth == 0) return wrong(first + names_.norm1() + ".weight");
        auto const span = static_cast<int>(std::lround(std::sqrt(static_cast<double>((*table)[0]))));
        int const window = (span + 1) / 2;
        constexpr int kMaxWindow = 32;
        if (std::int64_t{span} * span != (*table)[0] || span % 2 == 0 || window < 2 || window > kMaxWindow) {
            return wrong(fmt::format("{} (no window fits its shape {})", table_key, table->str()));
        }
        if (stage > 0 && window != c_.window) {
            return wrong(fmt::format("{} (a window of {}, before it {})", table_key, window, c_.window));
        }
        c_.window = window;
        c_.heads[stage] = static_cast<int>(std::min<std::int64_t>((*table)[1], kMaxHeads));
        if (c_.heads[stage] < 1 || c_.channels(stage) % c_.heads[stage] != 0 || (*fc1)[0] < 1) {
            return wrong(
                fmt::format("{} ({} heads do not divide {} channels)", table_key, (*table)[1], c_.channels(stage)));
        }
        c_.mlp_hidden[stage] = (*fc1)[0];
        return true;
    }

    void check_config() const {
        demand_setting(dict_, "backbone_config.hidden_act", "gelu");
        demand_setting(dict_, "backbone_config.use_absolute_embeddings", "false");
        check_setting(dict_, "backbone_config.patch_size", c_.patch, names_.patch() + ".weight");
        check_setting(dict_, "backbone_config.embed_dim", c_.embed_dim, names_.patch() + ".weight");
        for (std::size_t i = 0; i < 4; ++i) {
            auto const table = names_.block(i, 0) + names_.bias_table();
            check_setting(dict_, "backbone_config.window_size", c_.window, table);
            check_setting(dict_, fmt::format("backbone_config.num_heads.{}", i), c_.heads[i], table);
            check_setting(dict_, fmt::format("backbone_config.depths.{}", i), c_.depths[i],
                          "the number of " + names_.stage(i) + ".blocks.*");
        }
    }

    void describe() {
        auto const patch = names_.patch() + ".weight " + dict_.shape(names_.patch() + ".weight", 4)->str();
        auto const tables = names_.stage(0) + ".blocks.0" + names_.bias_table() + " and the other stages'";
        findings_.note("backbone", name_of(c_), names_.patch());
        findings_.note("embed_dim", fmt::format("{}", c_.embed_dim), patch);
        findings_.note("patch_size", fmt::format("{}", c_.patch), patch);
        findings_.note("depths", fmt::format("{}", fmt::join(c_.depths, ", ")), names_.stage(0) + ".blocks.*");
        findings_.note("num_heads", fmt::format("{}", fmt::join(c_.heads, ", ")), tables);
        findings_.note("window_size", fmt::format("{}", c_.window), tables);
        findings_.note("mlp_hidden", fmt::format("{}", fmt::join(c_.mlp_hidden, ", ")),
                       names_.block(0, 0) + names_.fc1() + ".weight");
        findings_.note("shift", fmt::format("{} in odd blocks", c_.window / 2),
                       "convention: half a window in every other block");
    }

    static constexpr std::int64_t kMaxHeads = 4096;

    StateDict const& dict_;
    SwinNames names_;
    Findings& findings_;
    SwinConfig c_;
};

/// Three constants of one shape under one another: q, k and v become qkv.
Constant stacked(std::array<Constant, 3> const& parts) {
    std::vector<std::int64_t> extents(parts[0].shape.begin(), parts[0].shape.end());
    extents[0] *= 3;
    Constant whole{Shape{std::span<std::int64_t const>(extents)}, nullptr, nullptr};
    for (Constant const& part : parts) {
        if (part.data == nullptr) return whole;  // shapes only
    }
    auto const floats = static_cast<std::size_t>(parts[0].shape.count());
    auto const buffer = std::make_shared<Buffer>(3 * floats * sizeof(float));
    for (std::size_t i = 0; i < 3; ++i) {
        std::memcpy(buffer->floats() + i * floats, parts[i].data, floats * sizeof(float));
    }
    whole.data = buffer->floats();
    whole.owner = buffer;
    return whole;
}

class SwinBuilder {
public:
    SwinBuilder(Graph& graph, Weights& weights, SwinConfig const& config)
        : graph_(graph), weights_(weights), c_(config), names_(config.layout) {}

    std::array<ValueId, 4> build(ValueId picture) {
        auto const patch = names_.patch();
        auto const c = c_.embed_dim;
        auto x = graph_.add(Conv2d{.kernel = c_.patch, .stride = c_.patch},
                            {picture, weight(patch + ".weight", {c, c_.in_channels, c_.patch, c_.patch}),
                             weight(patch + ".bias", {c}), kNone},
                            patch);
        x = norm(x, names_.patch_norm(), c, kEpsilon);
        std::array<ValueId, 4> maps{};
        for (std::size_t stage = 0; stage < 4; ++stage) {
            if (stage > 0) x = merge(x, stage - 1);
            for (int block = 0; block < c_.depths[stage]; ++block) x = add_block(x, stage, block);
            maps[stage] = norm(x, names_.output_norm(stage), c_.channels(stage), kEpsilon);
        }
        return maps;
    }

private:
    static constexpr float kEpsilon = 1e-5F;

    ValueId weight(std::string const& name, Shape const& shape) {
        return graph_.add_constant(name, weights_.get(name, shape));
    }

    ValueId norm(ValueId x, std::string const& name, std::int64_t channels, float epsilon) {
        return graph_.add(LayerNorm{epsilon},
                          {x, weight(name + ".weight", {channels}), weight(name + ".bias", {channels})}, name);
    }

    ValueId merge(ValueId x, std::size_t stage) {
        auto const name = names_.stage(stage) + ".downsample";
        auto const c = c_.channels(stage);
        return graph_.add(PatchMerging{kEpsilon},
                          {x, weight(name + ".norm.weight", {4 * c}), weight(name + ".norm.bias", {4 * c}),
                           weight(name + ".reduction.weight", {2 * c, 4 * c})},
                          name);
    }

    ValueId add_block(ValueId x, std::size_t stage, int block) {
        auto const name = names_.block(stage, block);
        auto const c = c_.channels(stage);
        auto const attended = attention(norm(x, name + names_.norm1(), c, c_.norm_epsilon), name, stage, block);
        x = graph_.add(Add{}, {x, attended}, name + names_.attention());
        auto const transformed = mlp(norm(x, name + names_.norm2(), c, c_.norm_epsilon), name, stage);
        return graph_.add(Add{}, {x, transformed}, name);
    }

    ValueId qkv(std::string const& attention, std::string const& suffix, Shape const& whole, Shape const& third) {
        if (!names_.split_qkv()) return weight(attention + ".qkv" + suffix, whole);
        return graph_.add_constant(attention + ".qkv" + suffix,
                                   stacked({weights_.get(attention + ".query" + suffix, third),
                                            weights_.get(attention + ".key" + suffix, third),
                                            weights_.get(attention + ".value" + suffix, third)}));
    }

    ValueId attention(ValueId x, std::string const& block, std::size_t stage, int index) {
        auto const name = block + names_.attention();
        auto const projection = block + names_.projection();
        auto const c = c_.channels(stage);
        int const heads = c_.heads[stage];
        std::int64_t const span = 2 * c_.window - 1;
        WindowAttention const op{.heads = heads,
                                 .window = c_.window,
                                 .shift = index % 2 == 0 ? 0 : c_.window / 2,
                                 .scale = 1.0F / std::sqrt(static_cast<float>(c / heads))};
        return graph_.add(
            op,
            {x, qkv(name, ".weight", {3 * c, c}, {c, c}), c_.qkv_bias ? qkv(name, ".bias", {3 * c}, {c}) : kNone,
             weight(block + names_.bias_table(), {span * span, heads}), weight(projection + ".weight", {c, c}),
             weight(projection + ".bias", {c}), kNone, kNone, kNone},
            name);
    }

    ValueId mlp(ValueId x, std::string const& block, std::size_t stage) {
        auto const fc1 = block + names_.fc1();
        auto const fc2 = block + names_.fc2();
        auto const c = c_.channels(stage);
        auto const hidden = c_.mlp_hidden[stage];
        return graph_.add(Mlp{},
                          {x, weight(fc1 + ".weight", {hidden, c}), weight(fc1 + ".bias", {hidden}),
                           weight(fc2 + ".weight", {c, hidden}), weight(fc2 + ".bias", {c}), kNone, kNone, kNone},
                          fc1);
    }

    Graph& graph_;
    Weights& weights_;
    SwinConfig const& c_;
    SwinNames names_;
};

}  // namespace

std::string swin_stem_key(Layout layout) {
    return SwinNames(layout).patch() + ".weight";
}

std::optional<SwinConfig> read_swin(StateDict const& dict, Layout layout, Findings& findings) {
    return SwinReader(dict, layout, findings).read();
}

std::array<ValueId, 4> build_swin(Graph& graph, Weights& weights, SwinConfig const& config, ValueId picture) {
    return SwinBuilder(graph, weights, config).build(picture);
}

}  // namespace vitrum::mask2former
