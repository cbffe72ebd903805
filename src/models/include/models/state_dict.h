// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "formats/checkpoint.h"
#include "ir/graph.h"

namespace vitrum {

/// The weights of one network inside a checkpoint: names as the network's own code spells them, without the
/// containers (`params_ema`, `state_dict`, …) and the `module.` of data-parallel training around them.
class StateDict {
public:
    /// Every plausible network in the file, best first: `params_ema` before `params` before the bare root.
    static std::vector<StateDict> candidates(Checkpoint const& checkpoint);

    [[nodiscard]] std::string const& prefix() const { return prefix_; }
    [[nodiscard]] bool has(std::string_view name) const { return tensors_.contains(name); }
    [[nodiscard]] CheckpointTensor const* find(std::string_view name) const;
    /// The shape of a tensor, if it is there and has that rank.
    [[nodiscard]] std::optional<Shape> shape(std::string_view name, int rank) const;
    [[nodiscard]] auto const& tensors() const { return tensors_; }
    /// What the folder's config.json and preprocessor_config.json say; empty for bare weights.
    [[nodiscard]] Settings const& config() const { return *config_; }
    [[nodiscard]] Settings const& preprocessor() const { return *preprocessor_; }
    [[nodiscard]] std::shared_ptr<void const> const& storage() const { return storage_; }
    [[nodiscard]] std::filesystem::path const& path() const { return path_; }

private:
    StateDict(Checkpoint const& checkpoint, std::string prefix);

    std::string prefix_;
    std::filesystem::path path_;
    std::map<std::string, CheckpointTensor const*, std::less<>> tensors_;
    std::shared_ptr<void const> storage_;
    Settings const* config_;  ///< the checkpoint's, as the tensors are
    Settings const* preprocessor_;
};

/// What a graph builder takes its weights from. Remembers which keys were asked for, so that one walk over the
/// builder tells missing, misshapen and unexpected keys without a second list of names.
class Weights {
public:
    enum class Mode {
        shapes_only,  ///< constants without data: for detection and for counting
        materialise,  ///< canonical float32, checked for NaN and Inf; zero-copy where the file holds it so
    };

    Weights(StateDict const& dict, Mode mode) : dict_(dict), mode_(mode) {}

    [[nodiscard]] bool has(std::string_view name) const { return dict_.has(name); }
    Constant get(std::string const& name, Shape const& expected);

    [[nodiscard]] std::vector<std::string> const& missing() const { return missing_; }
    /// Every key that was asked for with its shape, in the order of asking: that of the operators.
    [[nodiscard]] std::vector<std::pair<std::string, Shape>> const& requests() const { return requests_; }
    /// Keys of the file that nobody asked for, but for those that `ignorable` accepts.
    [[nodiscard]] std::vector<std::string> unexpected(std::function<bool(std::string_view)> const& ignorable) const;

private:
    [[nodiscard]] Constant materialise(CheckpointTensor const& tensor) const;

    StateDict const& dict_;
    Mode mode_;
    std::set<std::string, std::less<>> asked_;
    std::vector<std::pair<std::string, Shape>> requests_;
    std::vector<std::string> missing_;  ///< "key" or "key: expected [..], got [..]"
};

}  // namespace vitrum
