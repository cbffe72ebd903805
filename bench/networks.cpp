// SPDX-License-Identifier: Apache-2.0
// What `vitrum bench`, `profile` and `verify --golden` tell, in a program that needs no picture library, so that it can
// be carried to a machine that has little but a GPU.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "vitrum/error.h"
#include "vitrum/measure.h"

namespace vitrum {
namespace {

struct Request {
    std::string model, device = "cuda", precision = "auto", golden;
    std::vector<std::int64_t> size;
    std::int64_t batch = 1;
    bool json = false;
};

void print_operators(std::vector<OpProfile> const& ops) {
    std::map<std::string, OpProfile> kinds;
    for (OpProfile const& op : ops) {
        OpProfile& sum = kinds[fmt::format("{} ({})", op.op, op.kernel)];
        sum.seconds += op.seconds;
        sum.flops += op.flops;
        sum.bytes += op.bytes;
    }
    std::vector<std::pair<std::string, OpProfile>> sorted(kinds.begin(), kinds.end());
    std::ranges::sort(sorted, std::greater{}, [](auto const& kind) { return kind.second.seconds; });
    for (auto const& [name, sum] : sorted) {
        double const seconds = std::max(sum.seconds, 1e-12);
        fmt::print("  {:<52} {:9.3f} ms {:9.1f} GFLOP/s {:8.1f} GB/s\n", name, sum.seconds * 1e3,
                   sum.flops / seconds * 1e-9, sum.bytes / seconds * 1e-9);
    }
}

void run(Request const& request) {
    DeviceName const on = device_named(request.device);
    Session session(
        Engine::open(request.model,
                     {.device = on.device, .device_index = on.index, .precision = precision_named(request.precision)}));
    std::string const precision{name_of(session.engine().precision())};
    double error = -1;
    if (!request.golden.empty()) {
        for (TensorComparison const& output : verify_golden(session, request.golden).outputs) {
            error = std::max(error, output.non_finite > 0 ? INFINITY : output.normalised);
        }
        if (request.size.empty()) {
            fmt::print("{} in {}: normalised error {:.2e}\n", request.model, precision, error);
            return;
        }
    }
    BenchResult const r = benchmark(session, {request.batch, request.size[0], request.size[1]});
    if (request.json) {
        nlohmann::json report{{"device", session.engine().isa()},
                              {"precision", precision},
                              {"compute_ms", r.compute_ms},
                              {"p50_ms", r.p50_ms},
                              {"min_ms", r.min_ms},
                              {"p90_ms", r.p90_ms},
                              {"first_ms", r.first_ms},
                              {"arena_bytes", r.arena_bytes},
                              {"weight_bytes", session.engine().weight_bytes()},
                              {"gflops", r.gflops_per_second}};
        if (error >= 0) report["error"] = error;
        fmt::print("{}\n", report.dump());
        return;
    }
    fmt::print(
        "{} {}×{}×{} in {} on {} ({}): first {:.1f} ms, compute {:.3f} ms, p50 {:.3f} ms, p90 {:.3f}, {:.1f} GFLOP/s, "
        "{:.1f} MiB\n",
        session.engine().info().variant, r.sizes.n, r.sizes.h, r.sizes.w, precision, request.device,
        session.engine().isa(), r.first_ms, r.compute_ms, r.p50_ms, r.p90_ms, r.gflops_per_second,
        static_cast<double>(r.arena_bytes) / 0x1p20);
    if (error >= 0) fmt::print("  normalised error {:.2e}\n", error);
    session.prepare(r.sizes);
    print_operators(session.profile(5));
}

}  // namespace
}  // namespace vitrum

int main(int count, char** arguments) {
    vitrum::Request request;
    CLI::App app("Times a network as a whole and operator by operator.");
    app.add_option("MODEL", request.model, "a checkpoint, an ONNX or an engine file")->required();
    app.add_option("--device", request.device)->capture_default_str();
    app.add_option("--precision", request.precision)->capture_default_str();
    CLI::Option* const size = app.add_option("--size", request.size, "HxW")->delimiter('x')->expected(2);
    app.add_option("--batch", request.batch)->capture_default_str();
    CLI::Option* const golden =
        app.add_option("--golden", request.golden, "a safetensors file with the right answer; alone, nothing is timed");
    app.add_flag("--json", request.json, "one line for machines");
    CLI11_PARSE(app, count, arguments);
    if (size->count() + golden->count() == 0) return app.exit(CLI::RequiredError("--size or --golden"));
    try {
        vitrum::run(request);
    } catch (vitrum::Error const& error) {
        fmt::print(stderr, "bench_networks: {}\n", error.what());
        return static_cast<int>(error.kind());
    }
    return 0;
}
