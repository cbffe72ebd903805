// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <fmt/ranges.h>

#include "base/check.h"
#include "memory_checkpoint.h"
#include "models/model_data.h"

namespace vitrum {
namespace {

struct Attempt {
    Family family;
    std::string prefix;
    Mismatch mismatch;
    bool configured = false;  ///< the configuration could be read: only single keys are unmet

    /// A family whose configuration could be read is nearer than all others, whose mismatch names only the first keys
    /// that they look for; then fewer unmet keys is nearer.
    [[nodiscard]] std::pair<bool, std::size_t> distance() const {
        return {!configured, mismatch.missing.size() + mismatch.unexpected.size()};
    }
};

std::string some_of(std::vector<std::string> const& names) {
    constexpr std::size_t kShown = 4;
    auto const shown = std::min(names.size(), kShown);
    auto text = fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
    if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
    return text;
}

[[noreturn]] void fail_unrecognised(Checkpoint const& checkpoint, std::vector<Attempt> const& attempts) {
    if (attempts.empty()) {
        fail("{}: holds no tensors; a checkpoint made by torch.save(model.state_dict()) or safetensors is needed",
             checkpoint.path.string());
    }
    auto const& nearest = *std::ranges::min_element(attempts, {}, &Attempt::distance);
    std::string text = fmt::format("{}: not a network that vitrum knows; the nearest is {}", checkpoint.path.string(),
                                   nearest.family.name);
    auto const& [missing, unexpected] = nearest.mismatch;
    if (!missing.empty()) text += fmt::format("; {} missing or different: {}", missing.size(), some_of(missing));
    if (!unexpected.empty()) text += fmt::format("; {} unexpected: {}", unexpected.size(), some_of(unexpected));
    throw Error(text);
}

void check_overrides(Checkpoint const& checkpoint, Detection const& detection, Overrides const& overrides) {
    for (auto const& [name, value] : overrides) {
        if (std::ranges::find(detection.overrides, name) == detection.overrides.end()) {
            fail_as(ErrorKind::usage, "{}: {} has no setting \"{}\"; --set takes: {}", checkpoint.path.string(),
                    detection.info.family, name, fmt::join(detection.overrides, ", "));
        }
    }
}

void complete_info(Model::Data& data) {
    auto& info = data.detection.info;
    info.format = data.checkpoint->format;
    info.parameters = parameter_count(data.shape_graph);
    if (!data.dict.prefix().empty()) {
        info.notes.push_back(
            fmt::format("weights taken from \"{}\"", data.dict.prefix().substr(0, data.dict.prefix().size() - 1)));
    }
}

}  // namespace

std::string size_violation(ModelInfo const& info, Sizes const& sizes) {
    auto const& rule = info.sizes;
    bool const fits = sizes.h % rule.multiple == 0 && sizes.w % rule.multiple == 0 &&
                      (rule.largest == 0 || (sizes.h <= rule.largest && sizes.w <= rule.largest)) &&
                      (!rule.square || sizes.h == sizes.w);
    if ((rule.height != 0 && rule.height != sizes.h) || (rule.width != 0 && rule.width != sizes.w)) {
        auto const side = [](int only) { return only == 0 ? std::string("any") : std::to_string(only); };
        return fmt::format("{} was exported for pictures of {}×{} only, not {}×{} (width × height)", info.family,
                           side(rule.width), side(rule.height), sizes.w, sizes.h);
    }
    if (fits) return "";
    std::string wanted = rule.square ? "square pictures" : "pictures";
    if (rule.multiple > 1) wanted += fmt::format(" with sides that are multiples of {}", rule.multiple);
    if (rule.largest > 0) wanted += fmt::format(" of at most {} pixels a side", rule.largest);
    return fmt::format("{} takes {}, not {}×{} (width × height)", info.family, wanted, sizes.w, sizes.h);
}

Graph Model::Data::build_graph() const {
    Weights weights(dict, Weights::Mode::materialise);
    return detection.build(weights);
}

/// Dictionaries point into the checkpoint, so it stays at one address for good.
Model recognise(std::shared_ptr<Checkpoint const> const& checkpoint, Overrides const& overrides) {
    std::vector<Attempt> attempts;
    for (StateDict const& dict : StateDict::candidates(*checkpoint)) {
        for (Family const& family : families()) {
            auto result = family.detect(dict, overrides);
            if (auto* const mismatch = std::get_if<Mismatch>(&result)) {
                attempts.push_back({family, dict.prefix(), std::move(*mismatch), false});
                continue;
            }
            auto& detection = std::get<Detection>(result);
            Weights shapes(dict, Weights::Mode::shapes_only);
            Graph graph = detection.build(shapes);
            Mismatch mismatch{shapes.missing(), shapes.unexpected(detection.ignorable)};
            if (!mismatch.missing.empty() || !mismatch.unexpected.empty()) {
                attempts.push_back({family, dict.prefix(), std::move(mismatch), true});
                continue;
            }
            check_overrides(*checkpoint, detection, overrides);
            auto data =
                std::make_shared<Model::Data>(Model::Data{checkpoint, dict, std::move(detection), std::move(graph)});
            complete_info(*data);
            return Model(std::move(data));
        }
    }
    fail_unrecognised(*checkpoint, attempts);
}

Model Model::load(std::filesystem::path const& path, Overrides const& overrides) {
    return recognise(std::make_shared<Checkpoint const>(open_checkpoint(path)), overrides);
}

Model Model::from_memory(MemoryCheckpoint const& weights, Overrides const& overrides) {
    return recognise(std::make_shared<Checkpoint const>(checkpoint_of(weights)), overrides);
}

ModelInfo const& Model::info() const {
    return data_->detection.info;
}

double Model::flops(Sizes const& sizes) const {
    return vitrum::flops(data_->shape_graph, sizes);
}

}  // namespace vitrum
