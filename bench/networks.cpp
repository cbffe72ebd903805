// SPDX-License-Identifier: Apache-2.0
// What `vitrum bench` and `vitrum profile` tell, in a program that needs no picture library, so that it can be carried
// to a machine that has little but a GPU: bench_networks DEVICE MODEL HEIGHT WIDTH [BATCH]
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "vitrum/error.h"
#include "vitrum/measure.h"

namespace vitrum {
namespace {

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

void run(std::string const& device, std::string const& model, Sizes const& sizes) {
    DeviceName const on = device_named(device);
    Session session(Engine::open(model, {.device = on.device, .device_index = on.index}));
    BenchResult const r = benchmark(session, sizes);
    fmt::print(
        "{} {}×{}×{} on {} ({}): first {:.1f} ms, p50 {:.3f} ms, p90 {:.3f}, {} runs, {:.1f} GFLOP/s, {:.1f} MiB\n",
        session.engine().info().variant, sizes.n, sizes.h, sizes.w, device, session.engine().isa(), r.first_ms,
        r.p50_ms, r.p90_ms, r.runs, r.gflops_per_second, static_cast<double>(r.arena_bytes) / 0x1p20);
    print_operators(session.profile(5));
}

}  // namespace
}  // namespace vitrum

int main(int count, char** arguments) {
    if (count < 5) {
        fmt::print(stderr, "usage: bench_networks DEVICE MODEL HEIGHT WIDTH [BATCH]\n");
        return 2;
    }
    try {
        vitrum::run(arguments[1], arguments[2],
                    {count > 5 ? std::atoll(arguments[5]) : 1, std::atoll(arguments[3]), std::atoll(arguments[4])});
    } catch (vitrum::Error const& error) {
        fmt::print(stderr, "bench_networks: {}\n", error.what());
        return static_cast<int>(error.kind());
    }
    return 0;
}
