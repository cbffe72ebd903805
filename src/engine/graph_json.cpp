// SPDX-License-Identifier: Apache-2.0
#include "graph_json.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "engine/engine_file_format.h"
#include "ir/fields.h"

namespace vitrum {
namespace {

// ---- extents: a number, or ["H", ["ceil_div", 8], ["times", 8], ["plus", -1]]

constexpr std::string_view kSymbols = "?NHW";
constexpr std::array<char const*, 3> kStepNames = {"times", "plus", "ceil_div"};  // in the order of StepKind

Json to_json(Dim const& dim) {
    if (dim.is_constant()) return dim.at({});
    Json json = Json::array({std::string(1, kSymbols[static_cast<std::size_t>(dim.symbol())])});
    for (auto const step : dim.steps()) {
        json.push_back({kStepNames[static_cast<std::size_t>(step.kind)], step.by});
    }
    return json;
}

/// A number with a fraction or beyond 64 bits is none.
std::int64_t whole(Json const& json) {
    if (!json.is_number_integer()) fail("{} where a whole number is expected", json.dump());
    return json.get<std::int64_t>();
}

Dim dim_from_json(Json const& json) {
    if (json.is_number_integer()) return json.get<std::int64_t>();
    auto const letter = json.at(0).get<std::string>();
    auto const symbol = kSymbols.find(letter);
    if (letter.size() != 1 || symbol == std::string_view::npos || symbol == 0) fail("unknown symbol \"{}\"", letter);
    Dim dim(static_cast<Symbol>(symbol));
    std::int64_t growth = 1;
    for (std::size_t i = 1; i < json.size(); ++i) {
        auto const kind = json.at(i).at(0).get<std::string>();
        auto const by = whole(json.at(i).at(1));
        constexpr std::int64_t kMax = 1 << 16;  // sizes times this stay far from overflow
        auto const low = kind == "plus" ? -kMax : 1;
        if (by < low || by > kMax) fail("bad step \"{}\" {}", kind, by);
        if (kind == "times" && (growth *= by) > kMax) fail("an extent grows by more than {}", kMax);
        if (kind == "times") dim = dim.times(by);
        else if (kind == "plus") dim = dim.plus(by);
        else if (kind == "ceil_div") dim = dim.ceil_div(by);
        else fail("unknown step \"{}\"", kind);
    }
    return dim;
}

// ---- operator fields

Json field_to_json(Activation value) {
    return std::string(name_of(value));
}
Json field_to_json(ResidualPlace value) {
    return std::string(name_of(value));
}
Json field_to_json(Dim const& value) {
    return to_json(value);
}
Json field_to_json(int value) {
    return value;
}
Json field_to_json(float value) {
    return value;
}
Json field_to_json(bool value) {
    return value;
}
template <std::size_t kCount>
Json field_to_json(std::array<int, kCount> const& values) {
    return values;
}

void field_from_json(Json const& json, Activation& value) {
    auto const found = std::ranges::find(kActivationNames, json.get<std::string>());
    if (found == kActivationNames.end()) fail("unknown activation \"{}\"", json.get<std::string>());
    value = static_cast<Activation>(found - kActivationNames.begin());
}
void field_from_json(Json const& json, ResidualPlace& value) {
    auto const found = std::ranges::find(kResidualPlaceNames, json.get<std::string>());
    if (found == kResidualPlaceNames.end()) fail("unknown residual place \"{}\"", json.get<std::string>());
    value = static_cast<ResidualPlace>(found - kResidualPlaceNames.begin());
}
void field_from_json(Json const& json, Dim& value) {
    value = dim_from_json(json);
}
void field_from_json(Json const& json, int& value) {
    auto const wide = whole(json);
    value = static_cast<int>(std::clamp<std::int64_t>(wide, -(1 << 30), 1 << 30));  // the IR's rules refuse the rest
}
void field_from_json(Json const& json, float& value) {
    value = json.get<float>();
}
void field_from_json(Json const& json, bool& value) {
    value = json.get<bool>();
}
template <std::size_t kCount>
void field_from_json(Json const& json, std::array<int, kCount>& values) {
    if (json.size() != kCount) fail("{} numbers where an operator has {}", json.size(), kCount);
    for (std::size_t i = 0; i < kCount; ++i) field_from_json(json.at(i), values[i]);
}

Json op_to_json(Op const& op) {
    Json json;
    std::visit(
        [&](auto const& o) {
            for_each_field(
                o, [&](std::string_view name, auto const& value) { json[std::string(name)] = field_to_json(value); });
        },
        op);
    return json;
}

template <std::size_t I = 0>
Op op_from_json(std::string const& name, Json const& fields) {
    if constexpr (I == std::variant_size_v<Op>) {
        fail("unknown operator \"{}\"", name);
    } else {
        std::variant_alternative_t<I, Op> op;
        if (name != op.kName) return op_from_json<I + 1>(name, fields);
        for_each_field(
            op, [&](std::string_view field, auto& value) { field_from_json(fields.at(std::string(field)), value); });
        return op;
    }
}

Shape shape_from_json(Json const& json) {
    if (json.size() > Shape::kMaxRank) fail("a constant of rank {}", json.size());
    auto const extents = json.get<std::vector<std::int64_t>>();
    Shape shape{std::span(extents)};
    if (!shape.checked_count()) fail("a constant of impossible shape {}", shape.str());
    return shape;
}

constexpr std::array<char const*, 4> kTaskNames = {"restore", "spectral", "segment",
                                                   "tensors"};  // in the order of Task

SizeRule size_rule_from_json(Json const& json) {
    SizeRule const rule{json.at("multiple"), json.at("largest"), json.at("square")};
    if (rule.multiple < 1 || rule.largest < 0) fail("sizes of no picture");
    return rule;
}

Task task_from_json(Json const& json) {
    auto const found = std::ranges::find(kTaskNames, json.get<std::string>());
    if (found == kTaskNames.end()) fail("unknown task \"{}\"", json.get<std::string>());
    return static_cast<Task>(found - kTaskNames.begin());
}

Json to_json(SegmentationInfo const& info) {
    return {{"class_names", info.class_names},
            {"pixel_mean", info.pixel_mean},
            {"pixel_std", info.pixel_std},
            {"short_edge", info.short_edge},
            {"long_edge", info.long_edge},
            {"height", info.height},
            {"width", info.width}};
}

SegmentationInfo segmentation_from_json(Json const& json) {
    SegmentationInfo info{.class_names = json.at("class_names"),
                          .pixel_mean = json.at("pixel_mean"),
                          .pixel_std = json.at("pixel_std"),
                          .short_edge = json.at("short_edge"),
                          .long_edge = json.at("long_edge"),
                          .height = json.at("height"),
                          .width = json.at("width")};
    auto const is_side = [](int side, int least) { return side >= least && side <= 1 << 20; };
    if (!is_side(info.short_edge, 1) || !is_side(info.long_edge, 1) || !is_side(info.height, 0) ||
        !is_side(info.width, 0) || !std::ranges::all_of(info.pixel_std, [](float value) { return value > 0; })) {
        fail("the model's description holds a number out of range");
    }
    return info;
}

}  // namespace

Json to_json(ModelInfo const& info) {
    Json hyperparameters = Json::array();
    for (auto const& h : info.hyperparameters) {
        hyperparameters.push_back({{"name", h.name}, {"value", h.value}, {"evidence", h.evidence}});
    }
    Json const sizes = {
        {"multiple", info.sizes.multiple}, {"largest", info.sizes.largest}, {"square", info.sizes.square}};
    return {{"family", info.family},
            {"kind", kTaskNames[static_cast<std::size_t>(info.kind)]},
            {"task", info.task},
            {"variant", info.variant},
            {"scale", info.scale},
            {"in_channels", info.in_channels},
            {"out_channels", info.out_channels},
            {"value_range", info.value_range},
            {"tile_multiple", info.tile_multiple},
            {"receptive_radius", info.receptive_radius},
            {"mixes_whole_picture", info.mixes_whole_picture},
            {"sizes", sizes},
            {"segmentation", to_json(info.segmentation)},
            {"parameters", info.parameters},
            {"hyperparameters", hyperparameters},
            {"notes", info.notes}};
}

ModelInfo model_info_from_json(Json const& json) {
    ModelInfo info{.family = json.at("family"),
                   .kind = task_from_json(json.at("kind")),
                   .task = json.at("task"),
                   .variant = json.at("variant"),
                   .scale = json.at("scale"),
                   .in_channels = json.at("in_channels"),
                   .out_channels = json.at("out_channels"),
                   .value_range = json.at("value_range"),
                   .tile_multiple = json.at("tile_multiple"),
                   .receptive_radius = json.at("receptive_radius"),
                   .mixes_whole_picture = json.at("mixes_whole_picture"),
                   .segmentation = segmentation_from_json(json.at("segmentation")),
                   .sizes = size_rule_from_json(json.at("sizes")),
                   .parameters = json.at("parameters"),
                   .format = kEngineFileFormat,
                   .hyperparameters = {},
                   .notes = json.at("notes")};
    for (auto const& h : json.at("hyperparameters")) {
        info.hyperparameters.push_back({h.at("name"), h.at("value"), h.at("evidence")});
    }
    auto const sane = [](int value, int low, int high) { return value >= low && value <= high; };
    if (!sane(info.scale, 1, 16) || !sane(info.in_channels, 1, 4096) || !sane(info.out_channels, 1, 4096) ||
        !sane(info.tile_multiple, 1, 4096) || !sane(info.receptive_radius, 0, 4096) || !(info.value_range > 0)) {
        fail("the model's description holds a number out of range");
    }
    return info;
}

Json to_json(Graph const& graph, std::function<std::uint64_t(Constant const&)> const& place) {
    Json values = Json::array();
    for (Value const& value : graph.values) {
        Json json = {{"name", value.name}, {"dims", Json::array()}};
        for (Dim const& dim : value.dims) json["dims"].push_back(to_json(dim));
        if (value.constant) json["offset"] = place(*value.constant);
        values.push_back(std::move(json));
    }
    Json nodes = Json::array();
    for (Node const& node : graph.nodes) {
        nodes.push_back({{"op", std::string(name_of(node.op))},
                         {"fields", op_to_json(node.op)},
                         {"inputs", node.inputs},
                         {"outputs", node.outputs},
                         {"provenance", node.provenance}});
    }
    return {{"values", values}, {"nodes", nodes}, {"inputs", graph.inputs}, {"outputs", graph.outputs}};
}

Graph graph_from_json(Json const& json, std::function<Constant(Shape const&, std::uint64_t)> const& fetch) {
    Graph graph;
    for (Json const& value : json.at("values")) {
        auto const name = value.at("name").get<std::string>();
        if (value.contains("offset")) {
            graph.add_constant(name, fetch(shape_from_json(value.at("dims")), value.at("offset").get<std::uint64_t>()));
            continue;
        }
        std::vector<Dim> dims;
        for (Json const& dim : value.at("dims")) dims.push_back(dim_from_json(dim));
        graph.values.push_back({name, std::move(dims), nullptr});
    }
    for (Json const& node : json.at("nodes")) {
        graph.nodes.push_back({op_from_json(node.at("op").get<std::string>(), node.at("fields")), node.at("inputs"),
                               node.at("outputs"), node.at("provenance")});
    }
    graph.inputs = json.at("inputs").get<std::vector<ValueId>>();
    graph.outputs = json.at("outputs").get<std::vector<ValueId>>();
    return graph;
}

}  // namespace vitrum
