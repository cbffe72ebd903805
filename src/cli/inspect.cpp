// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "command.h"
#include "model_options.h"
#include "parse.h"
#include "ranges_text.h"
#include "text.h"
#include "vitrum/measure.h"

namespace vitrum::cli {
namespace {

struct InspectOptions {
    ModelOptions model;
    std::string size = "256x256";
    bool graph = false, why = false, ranges = false, json = false;
};

Json info_json(ModelInfo const& info) {
    Json hyperparameters = Json::array();
    for (Hyperparameter const& h : info.hyperparameters) {
        hyperparameters.push_back({{"name", h.name}, {"value", h.value}, {"evidence", h.evidence}});
    }
    Json const sizes = {
        {"multiple", info.sizes.multiple}, {"largest", info.sizes.largest}, {"square", info.sizes.square}};
    return {{"family", info.family},
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
            {"parameters", info.parameters},
            {"format", info.format},
            {"hyperparameters", hyperparameters},
            {"notes", info.notes}};
}

Json tensors_json(std::vector<TensorInfo> const& tensors) {
    Json json = Json::array();
    for (TensorInfo const& tensor : tensors)
        json.push_back({{"name", tensor.name}, {"shape", tensor.shape}, {"dtype", tensor.dtype}});
    return json;
}

Json at_size_json(Engine const& engine, Sizes const& sizes) {
    return {{"height", sizes.h},
            {"width", sizes.w},
            {"inputs", tensors_json(engine.inputs(sizes))},
            {"outputs", tensors_json(engine.outputs(sizes))},
            {"gflop", engine.flops(sizes) / 1e9},
            {"activation_bytes", engine.arena_bytes(sizes)}};
}

std::string tensor_text(TensorInfo const& tensor) {
    return fmt::format("{} {}[{}]", tensor.name, tensor.dtype == "float32" ? "" : tensor.dtype,
                       fmt::join(tensor.shape, ", "));
}

void print_info(ModelInfo const& info) {
    fmt::print("{}\n\n", info.variant);
    Table facts({"family", info.family});
    facts.add({"task", info.task});
    if (info.kind != Task::segment && info.kind != Task::tensors) {
        facts.add({"scale", fmt::format("×{}", info.scale)});
        facts.add({"channels",
                   fmt::format("{} → {}, values 0 … {:g}", info.in_channels, info.out_channels, info.value_range)});
    }
    facts.add({"parameters", fmt::format("{:.3f} million", static_cast<double>(info.parameters) / 1e6)});
    facts.add({"file", info.format});
    facts.add({"tiles", info.mixes_whole_picture ? "none: it looks at the whole picture at once"
                                                 : fmt::format("sides a multiple of {}, overlap {}", info.tile_multiple,
                                                               info.receptive_radius)});
    fmt::print("{}\n", facts.str(2));
    if (!info.hyperparameters.empty()) {
        Table table({"hyper-parameter", "value", "known from"});
        for (Hyperparameter const& h : info.hyperparameters) table.add({h.name, h.value, h.evidence});
        fmt::print("{}\n", table.str(3));
    }
    for (std::string const& note : info.notes) fmt::print("note: {}\n", note);
}

/// Kernels by operator; `refusals` of better-placed kernels only once for each reason.
void print_choices(Engine const& engine, std::vector<KernelChoice> const& choices) {
    Table table({"operator", "kernel", "module"});
    for (KernelChoice const& choice : choices) {
        table.add({choice.op, choice.kernel, choice.provenance});
        for (std::string const& refusal : choice.refusals) table.add({"", "not " + refusal, ""});
    }
    fmt::print("\nkernels for {} on {} ({})\n{}", name_of(engine.precision()), device_name(engine.options()),
               engine.isa(), table.str(3));
}

Json choices_json(std::vector<KernelChoice> const& choices) {
    Json all = Json::array();
    for (KernelChoice const& choice : choices) {
        all.push_back({{"op", choice.op},
                       {"module", choice.provenance},
                       {"kernel", choice.kernel},
                       {"refusals", choice.refusals}});
    }
    return all;
}

/// The only sizes that a network takes, where there are such.
Sizes fitting(SizeRule const& rule, Sizes sizes) {
    if (rule.batch != 0) sizes.n = rule.batch;
    if (rule.height != 0) sizes.h = rule.height;
    if (rule.width != 0) sizes.w = rule.width;
    return sizes;
}

int inspect(InspectOptions const& options) {
    PictureSize const size = parse_size("--size", options.size);
    Engine const engine = open_engine(options.model);
    Sizes const sizes = fitting(engine.info().sizes, {1, size.height, size.width});
    if (options.json) {
        Json json = info_json(engine.info());
        json["at_size"] = at_size_json(engine, sizes);
        json["instruction_set"] = engine.isa();
        json["precision"] = name_of(engine.precision());
        if (options.graph) json["graph"] = engine.graph_text(sizes);
        if (options.why) json["kernels"] = choices_json(engine.explain(sizes));
        if (options.ranges) json["ranges"] = ranges_json(choose_precision(engine));
        print_json(json);
        return 0;
    }
    print_info(engine.info());
    fmt::print("precision: {} on {}\n", name_of(engine.precision()), device_name(engine.options()));
    fmt::print("at {}×{} (height × width): {:.1f} GFLOP, {} of activations\n", sizes.h, sizes.w,
               engine.flops(sizes) / 1e9, bytes_text(static_cast<double>(engine.arena_bytes(sizes))));
    for (TensorInfo const& input : engine.inputs(sizes)) fmt::print("  in   {}\n", tensor_text(input));
    for (TensorInfo const& output : engine.outputs(sizes)) fmt::print("  out  {}\n", tensor_text(output));
    if (options.graph) fmt::print("\n{}", engine.graph_text(sizes));
    if (options.why) print_choices(engine, engine.explain(sizes));
    if (options.ranges) fmt::print("\n{}", ranges_text(choose_precision(engine), device_name(engine.options())));
    return 0;
}

}  // namespace

Command add_inspect(CLI::App& root) {
    Verb const verb(root, "inspect", "Tell what a model file holds, and how that is known");
    auto const options = std::make_shared<InspectOptions>();
    verb.option("MODEL", options->model.model, "a checkpoint, an ONNX file or an engine file").required();
    verb.option("--size", options->size, "height and width for the figures").value("HxW").shows_default();
    verb.flag("--graph", options->graph, "print the optimised graph");
    verb.flag("--why", options->why, "print which kernel runs each operator, and why others do not");
    verb.flag("--ranges", options->ranges,
              "run two small made-up pictures and print how large the numbers are that each operator reads, what it "
              "loses in less exact precisions, and which of those --precision auto takes");
    verb.flag("--json", options->json, "print JSON");
    add_model_options(verb, options->model);
    verb.footer(
        "Examples:\n  vitrum inspect model.pth\n  vitrum inspect model.pth --why --size 1080x1920\n"
        "  vitrum inspect model.pth --device cuda --ranges");
    return {verb, [options] { return inspect(*options); }};
}

}  // namespace vitrum::cli
