// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <optional>

#include "command.h"
#include "model_options.h"
#include "parse.h"
#include "text.h"
#include "vitrum/error.h"
#include "vitrum/measure.h"

namespace vitrum::cli {
namespace {

struct ProfileOptions {
    ModelOptions model;
    std::string size = "256x256", trace;
    int runs = 5;
    bool all = false, json = false;
};

/// Chrome trace format: one complete event per operator, times in microseconds.
Json trace_json(std::vector<OpProfile> const& ops, ModelInfo const& info) {
    Json events = Json::array();
    events.push_back({{"name", "process_name"}, {"ph", "M"}, {"pid", 1}, {"args", {{"name", info.variant}}}});
    double start_us = 0;
    for (OpProfile const& op : ops) {
        double const us = op.seconds * 1e6;
        events.push_back(
            {{"name", op.op},
             {"cat", "operator"},
             {"ph", "X"},
             {"ts", start_us},
             {"dur", us},
             {"pid", 1},
             {"tid", 1},
             {"args", {{"module", op.provenance}, {"kernel", op.kernel}, {"flops", op.flops}, {"bytes", op.bytes}}}});
        start_us += us;
    }
    return {{"traceEvents", events}, {"displayTimeUnit", "ms"}};
}

void write_trace(std::string const& path, Json const& trace) {
    std::ofstream out(path);
    out << trace.dump(1, ' ', false, Json::error_handler_t::replace) << "\n";
    out.close();
    if (!out) throw Error("cannot write " + path);
}

OpProfile sum_of(std::vector<OpProfile> const& ops) {
    OpProfile sum;
    for (OpProfile const& op : ops) {
        sum.seconds += op.seconds;
        sum.flops += op.flops;
        sum.bytes += op.bytes;
    }
    return sum;
}

/// Of the processor; nobody has measured a GPU's yet.
using Roof = std::optional<Roofline>;

/// Operators of one kind and kernel as one, the longest first.
std::vector<OpProfile> by_kind(std::vector<OpProfile> const& ops) {
    std::map<std::pair<std::string, std::string>, std::vector<OpProfile>> kinds;
    for (OpProfile const& op : ops) kinds[{op.op, op.kernel}].push_back(op);
    std::vector<OpProfile> sums;
    for (auto const& [kind, members] : kinds) {
        OpProfile& sum = sums.emplace_back(sum_of(members));
        sum.op = kind.first;
        sum.kernel = kind.second;
        sum.provenance = fmt::format("{} operators", members.size());
    }
    std::ranges::sort(sums, std::greater<>(), &OpProfile::seconds);
    return sums;
}

void print_table(std::vector<OpProfile> const& ops, OpProfile const& total, Roof const& roof) {
    Table table({"operator", "kernel", "module", "ms", "share", "GFLOP/s", "GB/s", "of roof"});
    auto const add = [&](OpProfile const& op, std::string const& name) {
        double const seconds = std::max(op.seconds, 1e-12);
        table.add({name, op.kernel, op.provenance, fmt::format("{:.3f}", op.seconds * 1e3),
                   fmt::format("{:.1f}%", 100 * op.seconds / total.seconds),
                   fmt::format("{:.1f}", op.flops / seconds / 1e9), fmt::format("{:.1f}", op.bytes / seconds / 1e9),
                   roof ? fmt::format("{:.0f}%", 100 * share_of_roofline(op, *roof)) : "–"});
    };
    for (OpProfile const& op : ops) add(op, op.op);
    add(total, "total");
    fmt::print("{}", table.str(3));
}

Json profile_json(Engine const& engine, std::vector<OpProfile> const& ops, OpProfile const& total, Roof const& roof) {
    Json all = Json::array();
    for (OpProfile const& op : ops) {
        all.push_back({{"op", op.op},
                       {"module", op.provenance},
                       {"kernel", op.kernel},
                       {"ms", op.seconds * 1e3},
                       {"flops", op.flops},
                       {"bytes", op.bytes}});
        if (roof) all.back()["share_of_roofline"] = share_of_roofline(op, *roof);
    }
    Json json = {{"precision", name_of(engine.precision())}, {"ms", total.seconds * 1e3}, {"operators", all}};
    if (roof) {
        json["roofline"] = {{"flops_per_second", roof->flops_per_second}, {"bytes_per_second", roof->bytes_per_second}};
    }
    return json;
}

int profile(ProfileOptions const& options) {
    PictureSize const size = parse_size("--size", options.size);
    Engine const engine = open_engine(options.model);
    Session session(engine);
    Sizes const sizes{1, size.height, size.width};
    BenchOptions warm_up{.warm_up_seconds = 0, .duration_seconds = 0, .iterations = 1};
    static_cast<void>(benchmark(session, sizes, warm_up));  // fills the input, packs weights, touches memory
    std::vector<OpProfile> const ops = session.profile(options.runs);
    OpProfile const total = sum_of(ops);
    CompileOptions const& on = engine.options();
    Roof const roof = on.device == Device::cuda ? Roof() : measure_roofline(on.threads);

    if (!options.trace.empty()) write_trace(options.trace, trace_json(ops, engine.info()));
    if (options.json) {
        print_json(profile_json(engine, ops, total, roof));
        return 0;
    }
    fmt::print("{} at {}×{} (height × width), {} on {}, mean of {} runs\n", engine.info().variant, sizes.h, sizes.w,
               name_of(engine.precision()), roof ? fmt::format("{} threads", on.threads) : device_name(on),
               options.runs);
    if (roof) {
        fmt::print("roof as measured: {:.0f} GFLOP/s, {:.1f} GB/s from memory; above 100% where a cache delivers\n",
                   roof->flops_per_second / 1e9, roof->bytes_per_second / 1e9);
    }
    fmt::print("\n");
    print_table(options.all ? ops : by_kind(ops), total, roof);
    if (!options.trace.empty()) fmt::print(stderr, "{} opens in ui.perfetto.dev or chrome://tracing\n", options.trace);
    return 0;
}

}  // namespace

Command add_profile(CLI::App& root) {
    Verb const verb(root, "profile", "Show where the time goes, operator by operator");
    auto const options = std::make_shared<ProfileOptions>();
    verb.option("MODEL", options->model.model, "a checkpoint or an engine file").required();
    verb.option("--size", options->size, "height and width of the input").value("HxW").shows_default();
    verb.option("--runs", options->runs, "runs to average over").value("N").between(1, 100000).shows_default();
    verb.flag("--all", options->all, "each operator on a line of its own, in the order of running");
    verb.option("--trace", options->trace, "also write a trace for Perfetto or Chrome").value("FILE");
    verb.flag("--json", options->json, "print JSON");
    add_model_options(verb, options->model);
    verb.footer("Example:\n  vitrum profile model.pth --size 256x256 --trace trace.json");
    return {verb, [options] { return profile(*options); }};
}

}  // namespace vitrum::cli
