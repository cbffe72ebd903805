// SPDX-License-Identifier: Apache-2.0
#include "onnx_recognise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include <fmt/ranges.h>

#include "base/check.h"
#include "importers/weights.h"
#include "models/export_names.h"
#include "models/model_data.h"
#include "onnx_info.h"
#include "onnx_proof.h"
#include "passes/passes.h"
#include "reference/backend.h"

namespace vitrum {
namespace {

/// Settings that no weight tells, and what else they may be than the convention: the file's operators decide.
struct Alternative {
    std::string_view setting, value;
};
constexpr std::array kAlternatives = {Alternative{"img_range", "255"},      Alternative{"img_range", "1"},
                                      Alternative{"rgb_mean", "0,0,0"},     Alternative{"shifted_blocks", "even"},
                                      Alternative{"shifted_blocks", "all"}, Alternative{"shifted_blocks", "none"}};

/// Mask2Former's learned queries, repeated for each picture before anything reads them: those of the first layer's
/// residual, and those that are added wherever queries are projected.
constexpr std::string_view kFeatures = "transformer_module.queries_features.weight";
constexpr std::string_view kPositions = "transformer_module.queries_embedder.weight";
constexpr std::array kNameless = {
    ReadBefore{.name = kFeatures, .next = "transformer_module.decoder.layers.0.cross_attn_layer_norm.weight"},
    ReadBefore{.name = kPositions, .next = "transformer_module.decoder.layers.0.self_attn.q_proj.bias"},
};
constexpr std::array kComputed = {
    ComputedQueries{.from = {kFeatures, kPositions},
                    .projection = "transformer_module.decoder.layers.0.cross_attn.q_proj",
                    .next = "transformer_module.decoder.layers.0.cross_attn.out_proj.weight"},
};
constexpr ExportNames kExportNames = {.published = published_name, .nameless = kNameless, .computed = kComputed};

/// The sides of the windows that a graph's softmaxes run over, ascending.
std::set<std::int64_t> windows_of(Graph const& graph) {
    std::set<std::int64_t> windows;
    for (Node const& node : graph.nodes) {
        auto const* const op = std::get_if<Dense>(&node.op);
        if (op == nullptr || !std::holds_alternative<dense::Softmax>(op->op)) continue;
        Shape const shape = graph.value(node.outputs.front()).dense_type().shape;
        auto const positions = static_cast<double>(shape[shape.rank() - 1]);
        windows.insert(std::llround(std::sqrt(positions)));
    }
    return windows;
}

/// The shapes of a family's inputs as files state them, [N, C, H, W].
std::vector<std::vector<std::int64_t>> stated_inputs(Graph const& graph, Sizes const& sizes) {
    std::vector<std::vector<std::int64_t>> shapes;
    for (ValueId const id : graph.inputs) {
        auto const& nhwc = graph.value(id).dims;
        shapes.push_back({nhwc[0].at(sizes), nhwc[3].at(sizes), nhwc[1].at(sizes), nhwc[2].at(sizes)});
    }
    return shapes;
}

class Recogniser {
public:
    Recogniser(std::shared_ptr<OnnxSource const> source, Overrides const& overrides, CompileOptions const& options)
        : source_(std::move(source)),
          stated_range_(stated_range(overrides)),
          overrides_(family_settings(source_->model(), overrides)),
          proof_(source_, options) {}

    Recognised run() {
        if (!import()) return {};
        for (StateDict const& dict : StateDict::candidates(weights_->known())) {
            for (Family const& family : families()) {
                if (attempt(dict, family)) return std::move(result_);
            }
        }
        return std::move(result_);
    }

private:
    /// The file's graph at some small size that it takes; at the one that it was traced with, where its constants tell
    /// that: at others it may be made all the same, but of positions that are not the network's.
    bool import() {
        std::vector<Sizes> sizes_to_try = source_->traced_sizes();
        for (Sizes const& other : {Sizes{1, 19, 27}, Sizes{1, 32, 48}, Sizes{1, 64, 64}}) sizes_to_try.push_back(other);
        for (Sizes const& wanted : sizes_to_try) {
            try {
                Sizes const sizes = source_->allowed(wanted);
                auto const [graph, reads] = source_->trace(inputs_at(sizes), *make_reference_backend());
                weights_.emplace(reads, source_->named_tensors(), kExportNames, sizes);
                windows_ = windows_of(graph);
                return true;
            } catch (Error const&) {
                continue;  // a size that the file does not take, or a file that the importer will refuse
            }
        }
        return false;
    }

    /// The inputs for pictures of that size. Where the file leaves extents of further inputs open, those of the family
    /// that its tensors' names tell. Throws Error where neither knows.
    [[nodiscard]] std::vector<DenseType> inputs_at(Sizes const& sizes) const {
        if (source_->follows_sizes()) return source_->inputs(sizes);
        ExportedWeights const named({}, source_->named_tensors(), kExportNames);
        for (StateDict const& dict : StateDict::candidates(named.known())) {
            for (Family const& family : families()) {
                auto const detected = family.detect(dict, overrides_);
                auto const* const detection = std::get_if<Detection>(&detected);
                if (detection == nullptr || !size_violation(detection->info, sizes).empty()) continue;
                Weights shapes(dict, Weights::Mode::shapes_only);
                Graph const graph = detection->build(shapes);
                return source_->inputs(stated_inputs(graph, sizes));
            }
        }
        return source_->inputs(sizes);
    }

    bool attempt(StateDict const& dict, Family const& family) {
        auto detected = family.detect(dict, overrides_);
        auto const* const detection = std::get_if<Detection>(&detected);
        if (detection == nullptr) return false;
        Weights shapes(dict, Weights::Mode::shapes_only);
        static_cast<void>(detection->build(shapes));
        std::vector<WantedWeight> wanted;
        for (auto const& [name, shape] : shapes.requests()) wanted.push_back({name, shape});
        for (float const factor : {1.0F, 2.0F}) {
            FoundWeights found = weights_->find(wanted, dict.prefix(), factor);
            if (!found.missing.empty()) {
                result_.why_not = fmt::format("{}: {} of its {} weights are not in the file, {} among them",
                                              family.name, found.missing.size(), wanted.size(), found.missing.front());
                return false;
            }
            if (factor != 1 && !found.has_moved_factors) return false;
            if (try_weights(std::move(found.checkpoint), *detection)) return true;
        }
        return false;
    }

    bool try_weights(Checkpoint weights, Detection const& detection) {
        weights.path = source_->model().path;
        weights.format = onnx_format(*source_);
        try {
            return prove(std::make_shared<Checkpoint const>(std::move(weights)), detection);
        } catch (Error const& error) {
            if (error.kind() == ErrorKind::usage) throw;
            result_.why_not = fmt::format("{}: {}", detection.info.family, error.what());
            return false;
        }
    }

    bool prove(std::shared_ptr<Checkpoint const> const& checkpoint, Detection const& detection) {
        for (Overrides const& settings : conventions(detection)) {
            Model const model = recognise(checkpoint, settings);
            Graph const own = proof_.with_further_outputs(model.info(), model.data().build_graph());
            Graph graph = optimise(named_as_in_file(own));
            double const error = proof_.error(model.info(), graph);
            if (error <= kMostError) {
                accept(model.info(), std::move(graph), error);
                return true;
            }
            least_error_ = std::min(least_error_, error);
        }
        result_.why_not = std::isfinite(least_error_)
                              ? fmt::format("{}: its network gives something else, by {:.1e} standard deviations",
                                            detection.info.family, least_error_)
                              : fmt::format("{}: its network takes or gives other tensors", detection.info.family);
        return false;
    }

    /// The family's conventions, and each of their alternatives.
    [[nodiscard]] std::vector<Overrides> conventions(Detection const& detection) const {
        auto const has = [&](std::string_view name) {
            return std::ranges::find(detection.overrides, name) != detection.overrides.end();
        };
        Overrides base = overrides_;
        if (has("window_sizes") && windows_.size() == 3) {
            base.emplace("window_sizes", fmt::format("{}", fmt::join(windows_, ",")));
        }
        std::vector<Overrides> all = {base};
        for (Alternative const& other : kAlternatives) {
            std::string const name(other.setting);
            if (!has(name) || base.contains(name)) continue;
            if (name == "rgb_mean" && detection.info.in_channels != 3) continue;
            all.push_back(base);
            all.back().emplace(name, other.value);
        }
        return all;
    }

    /// Callers of the file know its own names for what goes in and comes out.
    [[nodiscard]] Graph named_as_in_file(Graph graph) const {
        OnnxGraph const& file = source_->model().graph;
        auto const name = [&](std::vector<ValueId> const& ids, std::vector<OnnxPort> const& ports) {
            for (std::size_t i = 0; i < std::min(ids.size(), ports.size()); ++i) {
                graph.values[static_cast<std::size_t>(ids[i])].name = ports[i].name;
            }
        };
        name(graph.inputs, file.inputs);
        name(graph.outputs, file.outputs);
        return graph;
    }

    void accept(ModelInfo info, Graph graph, double error) {
        for (Hyperparameter& h : info.hyperparameters) {
            if (h.evidence == "--set" && !overrides_.contains(h.name)) h.evidence = "the file's operators";
        }
        if (stated_range_) info.value_range = *stated_range_;
        info.notes.push_back(
            fmt::format("recognised by its weights; the file's own operators differ by {:.1e} standard deviations (a "
                        "picture of {}×{})",
                        error, proof_.sizes().w, proof_.sizes().h));
        result_ = {std::move(info), std::move(graph), ""};
    }

    std::shared_ptr<OnnxSource const> source_;
    std::optional<double> stated_range_;
    Overrides overrides_;  ///< without those that every ONNX file takes
    std::optional<ExportedWeights> weights_;
    std::set<std::int64_t> windows_;
    OnnxProof proof_;
    double least_error_ = std::numeric_limits<double>::infinity();  ///< of all attempts
    Recognised result_;
};

}  // namespace

Recognised recognise_onnx(std::shared_ptr<OnnxSource const> const& source, Overrides const& overrides,
                          CompileOptions const& options) {
    return Recogniser(source, overrides, options).run();
}

}  // namespace vitrum
