// SPDX-License-Identifier: Apache-2.0
// Speed of each kernel on the tests' cases and on whole layers, in GFLOP/s and bytes/s, with one thread and with all.
#include "ops.h"

#include <benchmark/benchmark.h>

#include "cases.h"
#include "layer_cases.h"
#include "prepared_op.h"

namespace vitrum::bench {
namespace {

using test::OpCase;

template <class Cases>
void append(std::vector<OpCase>& all, Cases const& cases) {
    for (auto const& c : cases) all.push_back(to_case(c));
}

std::vector<OpCase> cases_and_layers() {
    std::vector<OpCase> all = test::all_cases();
    append(all, kConv2dLayers);
    append(all, kWindowAttentionLayers);
    append(all, kMlpLayers);
    append(all, kShiftMlpLayers);
    append(all, kGroupWindowAttentionLayers);
    append(all, kPatchMergingLayers);
    append(all, kGroupNormLayers);
    append(all, kLayerNormLayers);
    append(all, kAddLayers);
    append(all, kActivateLayers);
    append(all, kResizeNearestLayers);
    append(all, kReflectPadLayers);
    append(all, kCropLayers);
    append(all, kDeformableAttentionLayers);
    append(all, kQueryAttentionLayers);
    append(all, kQueryMasksLayers);
    append(all, kResizeLayers);
    return all;
}

/// Times the kernel alone: selection, packing and memory are a program's business, done once.
void measure(benchmark::State& state, Backend const& backend, OpCase const& c, int thread_count) {
    ThreadPool threads(thread_count);
    test::PreparedOp prepared(backend, c, make_values(c), threads);
    if (prepared.refused()) return state.SkipWithError("every kernel refused");
    for ([[maybe_unused]] auto iteration : state) prepared.run();

    auto const runs = static_cast<double>(state.iterations());
    double const work = flops(c.graph(), {});
    if (work > 0) state.counters["FLOP/s"] = benchmark::Counter(work * runs, benchmark::Counter::kIsRate);
    state.SetBytesProcessed(static_cast<std::int64_t>(prepared.bytes()) * state.iterations());
    state.SetLabel(std::string(prepared.selection().kernel));
}

}  // namespace
}  // namespace vitrum::bench

int main(int argc, char** argv) {
    using namespace vitrum;
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    auto const backends = bench::backends();
    auto const cases = bench::cases_and_layers();
    std::vector<int> thread_counts{1};
    if (available_cores() > 1) thread_counts.push_back(available_cores());
    for (auto const& backend : backends) {
        for (test::OpCase const& c : cases) {
            for (int const count : thread_counts) {
                auto const name = fmt::format("{}/{}/{}/threads:{}", backend->name(), backend->isa(), c.name, count);
                benchmark::RegisterBenchmark(
                    name.c_str(),
                    [&backend, &c, count](benchmark::State& state) { bench::measure(state, *backend, c, count); })
                    ->UseRealTime()
                    ->Unit(benchmark::kMicrosecond);
            }
        }
    }
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
}
