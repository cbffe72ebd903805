// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <fmt/core.h>

#include "base/finite.h"
#include "engine/engine_data.h"
#include "engine/engine_file_format.h"
#include "engine/made_up_picture.h"
#include "engine/normalised_error.h"
#include "noise.h"
#include "output_values.h"
#include "precision_bars.h"
#include "vitrum/measure.h"

namespace vitrum {
namespace {

/// Other pictures may fare worse than two made-up ones: those have to be this many times better than the limits.
constexpr double kMargin = 2;
constexpr double kSmallestNormalHalf = 0x1p-14;

using Values = std::vector<std::vector<float>>;

enum class Picture { waves, noise };
constexpr std::array kPictures = {Picture::waves, Picture::noise};

/// Some windows of every family, and sizes that the network takes.
Sizes trial_sizes(SizeRule const& rule) {
    std::int64_t side = 64;
    if (rule.largest > 0) side = std::min<std::int64_t>(side, rule.largest / rule.multiple * rule.multiple);
    side = (side + rule.multiple - 1) / rule.multiple * rule.multiple;
    return {rule.batch > 0 ? rule.batch : 1, rule.height > 0 ? rule.height : side, rule.width > 0 ? rule.width : side};
}

/// 0 … value_range as segmenters want it: less the mean of photos, by their deviation.
void normalise_as_photo(std::span<float> picture, ModelInfo const& info) {
    auto const scale = static_cast<float>(255 / info.value_range);
    for (std::size_t i = 0; i < picture.size(); ++i) {
        picture[i] = (picture[i] * scale - info.segmentation.pixel_mean[i % 3]) / info.segmentation.pixel_std[i % 3];
    }
}

void feed(Session& session, Sizes const& sizes, Picture picture) {
    ModelInfo const& info = session.engine().info();
    session.prepare(sizes);
    fill_with_noise(session, sizes);
    if (picture == Picture::waves) {
        auto const inputs = session.engine().inputs(sizes);
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            auto const& shape = inputs[i].shape;
            bool const is_picture = inputs[i].dtype == "float32" && shape.size() == 4;
            if (is_picture) fill_with_waves(session.input(i), shape[2], shape[3], info.value_range);
        }
    }
    if (info.kind == Task::segment) normalise_as_photo(session.input(), info);
}

/// What one picture becomes in a network in fp32.
struct Expected {
    Values layers, outputs;
};

Values outputs_of(Session const& session, std::vector<TensorInfo> const& infos) {
    Values outputs;
    for (std::size_t i = 0; i < infos.size(); ++i) outputs.push_back(output_values(session, infos[i], i));
    return outputs;
}

double error_of(std::span<float const> made, std::span<float const> expected) {
    return std::ranges::equal(made, expected) ? 0 : normalised_error(made, expected);
}

class PrecisionTest {
public:
    explicit PrecisionTest(Engine const& engine) : engine_(engine.in_precision(Precision::fp32)) {
        choice_.sizes = trial_sizes(engine_.info().sizes);
        outputs_ = engine_.outputs(choice_.sizes);
    }

    PrecisionChoice choose() {
        look_at_ranges();
        if (engine_.options().device != Device::cuda) return std::move(choice_);
        for (Precision const precision : {Precision::fp16, Precision::tf32}) {
            choice_.trials.push_back(attempt(precision));
            if (!choice_.trials.back().why_not.empty()) continue;
            choice_.precision = precision;
            break;
        }
        return std::move(choice_);
    }

private:
    struct Range {
        double largest = 0;
        std::int64_t small = 0, count = 0;  ///< of what is not 0
    };

    void look_at_ranges();
    void add_layer(LayerValue const& layer, std::vector<Range>& ranges);
    void note_range(std::span<float const> values, Range& range) const;
    [[nodiscard]] PrecisionTrial attempt(Precision precision) const;
    void compare_outputs(Session const& session, Expected const& expected, PrecisionTrial& trial, Bar const& bar) const;
    [[nodiscard]] std::string why_not(PrecisionTrial const& trial, Bar const& bar) const;

    Engine engine_;  ///< in fp32
    std::vector<TensorInfo> outputs_;
    std::vector<Expected> expected_;  ///< by picture
    PrecisionChoice choice_;
};

void PrecisionTest::note_range(std::span<float const> values, Range& range) const {
    for (float const value : values) {
        double const magnitude = std::fabs(static_cast<double>(value));
        if (!(magnitude > 0)) continue;
        range.largest = std::max(range.largest, magnitude);
        range.small += static_cast<std::int64_t>(magnitude < kSmallestNormalHalf);
        ++range.count;
    }
}

/// `ranges` are those of the values of the graph that the pictures so far have gone through.
void PrecisionTest::add_layer(LayerValue const& layer, std::vector<Range>& ranges) {
    auto const graph = engine_.data().prepared(choice_.sizes).graph;
    Node const& node = graph->nodes[layer.index];
    if (expected_.size() == 1) choice_.operators.push_back({layer.op, layer.provenance});
    OperatorRange& seen = choice_.operators[expected_.back().layers.size()];
    Range read;
    for (ValueId const id : node.inputs) {
        if (id == kNone) continue;
        Range const& range = ranges[static_cast<std::size_t>(id)];
        read = {std::max(read.largest, range.largest), read.small + range.small, read.count + range.count};
    }
    seen.largest = std::max(seen.largest, read.largest);
    double const share = static_cast<double>(read.small) / static_cast<double>(std::max<std::int64_t>(read.count, 1));
    seen.small_share = std::max(seen.small_share, share);
    note_range(layer.values, ranges[static_cast<std::size_t>(node.outputs.front())]);
    expected_.back().layers.emplace_back(layer.values.begin(), layer.values.end());
}

void PrecisionTest::look_at_ranges() {
    Session session(engine_);
    auto const graph = engine_.data().prepared(choice_.sizes).graph;
    for (Picture const picture : kPictures) {
        feed(session, choice_.sizes, picture);
        std::vector<Range> ranges(graph->values.size());
        auto const inputs = engine_.inputs(choice_.sizes);
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            if (inputs[i].dtype == "float32") {
                note_range(session.input(i), ranges[static_cast<std::size_t>(graph->inputs[i])]);
            }
        }
        expected_.emplace_back();
        session.run_layers([&](LayerValue const& layer) { add_layer(layer, ranges); });
        expected_.back().outputs = outputs_of(session, outputs_);
    }
}

PrecisionTrial PrecisionTest::attempt(Precision precision) const {
    Engine const engine = engine_.in_precision(precision);
    Bar const bar = bar_for(engine.info().kind, precision);
    PrecisionTrial trial{.precision = precision, .error_limit = error_limit(precision) / kMargin};
    trial.quality = bar.name;
    trial.quality_limit = bar.closer(kMargin);
    trial.quality_value = bar.is_least ? std::numeric_limits<double>::infinity() : 0;
    trial.layers.resize(choice_.operators.size());
    auto const kernels = engine.explain(choice_.sizes);
    Session session(engine);
    for (std::size_t i = 0; i < kPictures.size(); ++i) {
        feed(session, choice_.sizes, kPictures[i]);
        std::size_t at = 0;
        session.run_layers([&](LayerValue const& layer) {
            auto& [kernel, error] = trial.layers[at];
            kernel = kernels[layer.index].kernel;
            error = std::max(error, error_of(layer.values, expected_[i].layers[at++]));
        });
        compare_outputs(session, expected_[i], trial, bar);
    }
    trial.why_not = why_not(trial, bar);
    return trial;
}

void PrecisionTest::compare_outputs(Session const& session, Expected const& expected, PrecisionTrial& trial,
                                    Bar const& bar) const {
    ModelInfo const& info = engine_.info();
    Values const made = outputs_of(session, outputs_);
    for (std::size_t i = 0; i < made.size(); ++i) {
        trial.error = std::max(trial.error, error_of(made[i], expected.outputs[i]));
        bool const is_judged = info.kind != Task::segment || outputs_[i].name == "output_masks";
        if (!is_judged || bar.name.empty() || !all_finite(made[i])) continue;
        double const value =
            agreement(info.kind, made[i], expected.outputs[i], info.value_range, outputs_[i].shape.back());
        trial.quality_value =
            bar.is_least ? std::min(trial.quality_value, value) : std::max(trial.quality_value, value);
    }
}

std::string PrecisionTest::why_not(PrecisionTrial const& trial, Bar const& bar) const {
    if (!std::isfinite(trial.error)) return "an output is NaN or infinite";
    if (trial.error > trial.error_limit) {
        return fmt::format("an output's error is {:.1e}, more than {:.1e}", trial.error, trial.error_limit);
    }
    if (bar.name.empty() || bar.is_met(trial.quality_value, trial.quality_limit)) return "";
    return fmt::format("{} is {:.4g}, {} than {:.4g}", bar.name, trial.quality_value, bar.is_least ? "less" : "more",
                       trial.quality_limit);
}

}  // namespace

PrecisionChoice choose_precision(Engine const& engine) {
    return PrecisionTest(engine).choose();
}

Engine in_automatic_precision(Engine const& engine) {
    bool const is_settled = engine.info().format == kEngineFileFormat || engine.options().device != Device::cuda ||
                            engine.info().kind == Task::tensors;
    return is_settled ? engine : engine.in_precision(choose_precision(engine).precision);
}

}  // namespace vitrum
