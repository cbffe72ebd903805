// SPDX-License-Identifier: Apache-2.0
#include "onnx_proof.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "engine/made_up_picture.h"
#include "engine/normalised_error.h"

namespace vitrum {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

/// Maps of several strides, whose sizes exporters fix.
bool is_pyramid(ModelInfo const& info) {
    return info.tile_multiple >= 32;
}

/// Small sizes at which windows are padded and shifted. Where arithmetic depends on the size, files hold that of the
/// one size that their exporter saw.
std::vector<Sizes> sizes_to_try(ModelInfo const& info, OnnxSource const& source) {
    std::vector<Sizes> sizes;
    if (info.sizes.largest > 0) {
        for (std::int64_t side = info.sizes.largest / 4; side >= 4; side /= 2) sizes.push_back({1, side, side});
        for (std::int64_t const side : {info.sizes.largest / 2, info.sizes.largest}) sizes.push_back({1, side, side});
        return sizes;
    }
    sizes = {{1, 19, 27}, {1, 32, 48}, {1, 64, 64}};
    if (is_pyramid(info)) {
        sizes.front() = {1, 38, 54};
        std::ranges::copy(source.traced_sizes(), std::back_inserter(sizes));
    }
    return sizes;
}

/// Fills all inputs, runs, and reads all outputs. The session is prepared.
std::vector<std::vector<float>> outcome(Session& session, std::vector<TensorInfo> const& inputs, std::size_t outputs,
                                        double range) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        // Not noise alone, in which the rounding errors of deep networks grow.
        fill_with_waves(session.input(i), inputs[i].shape[2], inputs[i].shape[3], range);
    }
    session.run();
    std::vector<std::vector<float>> values;
    for (std::size_t i = 0; i < outputs; ++i) values.emplace_back(session.output(i).begin(), session.output(i).end());
    return values;
}

/// The shapes of pictures as the file states them, [N, C, H, W].
std::vector<std::vector<std::int64_t>> stated_shapes(std::vector<TensorInfo> const& pictures) {
    std::vector<std::vector<std::int64_t>> shapes;
    for (TensorInfo const& info : pictures) {
        auto const& nhwc = info.shape;
        shapes.push_back({nhwc[0], nhwc[3], nhwc[1], nhwc[2]});
    }
    return shapes;
}

/// Whether an output of the file holds what one of the family's does: pictures, or queries, which have three extents
/// in files.
bool is_alike(TensorInfo const& file, TensorInfo const& family) {
    if (file.dtype != "float32" || file.as_stated != family.queries) return false;
    auto shape = family.shape;
    if (family.queries) shape.erase(shape.begin() + 1);
    return file.shape == shape;
}

}  // namespace

OnnxProof::OnnxProof(std::shared_ptr<OnnxSource const> source, CompileOptions options)
    : source_(std::move(source)), options_(std::move(options)) {
    options_.device = Device::cpu;
    options_.precision = Precision::fp32;
}

OnnxProof::Expected OnnxProof::run_file(Sizes const& sizes, double range, std::vector<TensorInfo> const& inputs) const {
    Expected made{.sizes = sizes, .range = range, .outputs = std::nullopt, .infos = {}};
    try {
        Engine const own(std::make_shared<Engine::Data>(ModelInfo{}, source_, options_));
        InputShapes const shapes(stated_shapes(inputs));
        auto const infos = own.inputs(shapes);
        auto const is_picture = [](TensorInfo const& info) { return !info.as_stated; };
        if (!std::ranges::all_of(infos, is_picture)) return made;
        made.infos = own.outputs(shapes);
        Session session(own);
        session.prepare(shapes);
        made.outputs = outcome(session, infos, made.infos.size(), range);
    } catch (Error const&) {
        made.outputs.reset();  // inputs or a size that the file does not take
    }
    return made;
}

OnnxProof::Expected const& OnnxProof::expected(Sizes const& sizes, double range,
                                               std::vector<TensorInfo> const& inputs) {
    auto const found =
        std::ranges::find_if(expected_, [&](Expected const& e) { return e.sizes == sizes && e.range == range; });
    if (found != expected_.end()) return *found;
    return expected_.emplace_back(run_file(sizes, range, inputs));
}

double OnnxProof::error(ModelInfo const& info, Graph const& graph) {
    Engine const family(std::make_shared<Engine::Data>(info, graph, options_));
    double least = kInfinite;
    bool const depends_on_size = info.sizes.largest > 0 || is_pyramid(info);
    for (Sizes const& wanted : sizes_to_try(info, *source_)) {
        Sizes const sizes = source_->allowed(wanted);
        if (!size_violation(info, sizes).empty()) continue;
        Expected const& file = expected(sizes, info.value_range, family.inputs(sizes));
        if (!file.outputs) continue;
        double const error = difference(family, file);
        if (error < least) {
            least = error;
            sizes_ = sizes;
        }
        if (least <= kMostError || !depends_on_size) break;
    }
    return least;
}

Graph OnnxProof::with_further_outputs(ModelInfo const& info, Graph const& graph) {
    if (source_->model().graph.outputs.size() <= graph.outputs.size()) return graph;
    Engine const family(std::make_shared<Engine::Data>(info, graph, options_));
    for (Sizes const& wanted : sizes_to_try(info, *source_)) {
        Sizes const sizes = source_->allowed(wanted);
        if (!size_violation(info, sizes).empty()) continue;
        Expected const& file = expected(sizes, info.value_range, family.inputs(sizes));
        if (!file.outputs) continue;
        if (auto found = with_outputs_of(info, graph, file)) return *found;
    }
    return graph;
}

std::optional<Graph> OnnxProof::with_outputs_of(ModelInfo const& info, Graph const& graph, Expected const& file) {
    Graph all = graph;  // with every value as an output
    for (std::size_t v = 0; v < all.values.size(); ++v) {
        auto const id = static_cast<ValueId>(v);
        bool const is_listed = std::ranges::count(all.inputs, id) + std::ranges::count(all.outputs, id) > 0;
        if (!is_listed && !all.is_constant(id)) all.outputs.push_back(id);
    }
    Engine const engine(std::make_shared<Engine::Data>(info, all, options_));
    auto const infos = engine.outputs(file.sizes);
    Session session(engine);
    session.prepare(file.sizes);
    auto const values = outcome(session, engine.inputs(file.sizes), infos.size(), file.range);
    Graph extended = graph;
    for (std::size_t i = graph.outputs.size(); i < file.infos.size(); ++i) {
        std::size_t found = graph.outputs.size();
        auto const equals = [&](std::size_t v) {
            return is_alike(file.infos[i], infos[v]) && normalised_error(values[v], (*file.outputs)[i]) <= kMostError;
        };
        while (found < values.size() && !equals(found)) ++found;
        if (found == values.size()) return std::nullopt;
        extended.outputs.push_back(all.outputs[found]);
    }
    return extended;
}

double OnnxProof::difference(Engine const& family, Expected const& file) {
    auto const outputs = family.outputs(file.sizes);
    if (!std::ranges::equal(file.infos, outputs, is_alike)) return kInfinite;
    Session session(family);
    session.prepare(file.sizes);
    auto const made = outcome(session, family.inputs(file.sizes), outputs.size(), file.range);
    double largest = 0;
    for (std::size_t i = 0; i < made.size(); ++i) {
        largest = std::max(largest, normalised_error(made[i], (*file.outputs)[i]));
    }
    return largest;
}

}  // namespace vitrum
