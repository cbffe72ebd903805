// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <memory>

#include "command.h"
#include "model_options.h"
#include "parse.h"
#include "progress.h"
#include "text.h"
#include "vitrum/measure.h"

namespace vitrum::cli {
namespace {

struct BenchCommand {
    ModelOptions model;
    std::vector<std::string> sizes = {"256x256"};
    std::vector<int> batches = {1};
    BenchOptions bench;
    std::string plot;
    bool json = false;
};

Json result_json(BenchResult const& r) {
    return {{"batch", r.sizes.n},
            {"height", r.sizes.h},
            {"width", r.sizes.w},
            {"runs", r.runs},
            {"first_ms", r.first_ms},
            {"latency_ms",
             {{"min", r.min_ms},
              {"mean", r.mean_ms},
              {"p50", r.p50_ms},
              {"p90", r.p90_ms},
              {"p99", r.p99_ms},
              {"max", r.max_ms}}},
            {"compute_ms", r.compute_ms},
            {"pictures_per_second", r.pictures_per_second},
            {"megapixels_per_second", r.megapixels_per_second},
            {"gflops_per_second", r.gflops_per_second},
            {"activation_bytes", r.arena_bytes},
            {"peak_resident_bytes", r.peak_resident_bytes}};
}

void print_results(std::vector<BenchResult> const& results) {
    Table table({"size", "batch", "runs", "first ms", "min ms", "p50 ms", "p90 ms", "p99 ms", "compute ms",
                 "pictures/s", "Mpixel/s", "GFLOP/s", "activations", "peak resident"});
    for (BenchResult const& r : results) {
        auto const ms = [](double value) { return fmt::format("{:.2f}", value); };
        table.add({fmt::format("{}x{}", r.sizes.h, r.sizes.w), std::to_string(r.sizes.n), std::to_string(r.runs),
                   ms(r.first_ms), ms(r.min_ms), ms(r.p50_ms), ms(r.p90_ms), ms(r.p99_ms), ms(r.compute_ms),
                   fmt::format("{:.2f}", r.pictures_per_second), fmt::format("{:.3f}", r.megapixels_per_second),
                   fmt::format("{:.1f}", r.gflops_per_second), bytes_text(static_cast<double>(r.arena_bytes)),
                   bytes_text(static_cast<double>(r.peak_resident_bytes))});
    }
    fmt::print("{}", table.str());
}

std::vector<Sizes> all_sizes(BenchCommand const& options) {
    std::vector<Sizes> all;
    for (std::string const& text : options.sizes) {
        PictureSize const size = parse_size("--size", text);
        for (int const batch : options.batches) all.push_back({batch, size.height, size.width});
    }
    return all;
}

int bench(BenchCommand const& options) {
    std::vector<Sizes> const sizes = all_sizes(options);
    std::string const plot = parse_plot("--plot", options.plot);  // before minutes of measuring
    Engine const engine = open_engine(options.model);
    Session session(engine);
    std::vector<BenchResult> results;
    ProgressLine progress(progress_style(options.json, false));
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        BenchOptions step = options.bench;
        step.progress = [&](double fraction) {
            progress.update((static_cast<double>(i) + fraction) / static_cast<double>(sizes.size()),
                            fmt::format("{}x{} batch {}", sizes[i].h, sizes[i].w, sizes[i].n));
            return true;
        };
        results.push_back(benchmark(session, sizes[i], step));
    }
    progress.finish();
    if (!plot.empty()) save_bench_plot(results, plot);
    if (options.json) {
        Json all = Json::array();
        for (BenchResult const& result : results) all.push_back(result_json(result));
        print_json({{"model", engine.info().variant},
                    {"device", options.model.device},
                    {"precision", name_of(engine.precision())},
                    {"instruction_set", engine.isa()},
                    {"threads", engine.options().threads},
                    {"results", all}});
        return 0;
    }
    fmt::print("{}, {} on {} ({}), {} threads; sizes are height × width of the input\n\n", engine.info().variant,
               name_of(engine.precision()), options.model.device, engine.isa(), engine.options().threads);
    print_results(results);
    return 0;
}

}  // namespace

Command add_bench(CLI::App& root) {
    Verb const verb(root, "bench", "Measure latency, throughput and memory");
    auto const options = std::make_shared<BenchCommand>();
    verb.option("MODEL", options->model.model, "a checkpoint or an engine file").required();
    verb.option("--size", options->sizes, "height and width of the input; may be repeated")
        .value("HxW")
        .one_at_a_time()
        .shows_default();
    verb.option("--batch", options->batches, "pictures at once; may be repeated")
        .value("N")
        .one_at_a_time()
        .between(1, 4096)
        .shows_default();
    verb.option("--duration", options->bench.duration_seconds, "seconds to measure each, at least")
        .value("S")
        .between(0.0, 86400.0)
        .shows_default();
    verb.option("--iterations", options->bench.iterations, "runs to measure each, at least")
        .value("N")
        .between(1, 100000000)
        .shows_default();
    verb.option("--warm-up", options->bench.warm_up_seconds, "seconds to run before measuring")
        .value("S")
        .between(0.0, 86400.0)
        .shows_default();
    verb.option("--plot", options->plot, "draw the time per picture over the sizes: .svg or .png").value("FILE");
    verb.flag("--json", options->json, "print JSON");
    add_model_options(verb, options->model);
    verb.footer("Example:\n  vitrum bench model.pth --size 128x128 --size 256x256 --batch 1 --batch 4");
    return {verb, [options] { return bench(*options); }};
}

}  // namespace vitrum::cli
