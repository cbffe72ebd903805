// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <cmath>

#include "backends/memory.h"
#include "base/check.h"
#include "engine/engine_data.h"
#include "noise.h"
#include "tasks/memory.h"
#include "vitrum/measure.h"

namespace vitrum {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

double timed_run(Session& session) {
    auto const start = Clock::now();
    session.run();
    return seconds_since(start);
}

/// The nearest-rank percentile of ascending times.
double percentile(std::vector<double> const& sorted, double percent) {
    double const rank = std::ceil(percent / 100 * static_cast<double>(sorted.size()));
    return sorted[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

/// In milliseconds, of at most fifty runs.
double median_compute_ms(Session& session, std::size_t runs) {
    std::vector<double> seconds = session.compute_seconds(static_cast<int>(std::min<std::size_t>(runs, 50)));
    std::ranges::sort(seconds);
    return 1e3 * percentile(seconds, 50);
}

}  // namespace

std::size_t peak_resident_bytes() {
    return peak_resident_memory();
}

std::uint64_t device_free_bytes(Engine const& engine) {
    Memory const& memory = engine.data().memory();
    return memory.is_host() ? 0 : memory.free_bytes();
}

BenchResult benchmark(Session& session, Sizes const& sizes, BenchOptions const& options) {
    if (options.iterations < 1) fail_as(ErrorKind::usage, "a benchmark needs at least one iteration");
    auto const report = [&](double fraction) {
        if (options.progress && !options.progress(fraction)) fail("cancelled");
    };
    BenchResult result;
    result.sizes = sizes;
    report(0);
    auto const start = Clock::now();
    session.prepare(sizes);
    double const prepare_seconds = seconds_since(start);
    fill_with_noise(session, sizes);
    result.first_ms = 1e3 * (prepare_seconds + timed_run(session));
    for (double warm = 0; warm < options.warm_up_seconds;) warm += timed_run(session);

    std::vector<double> times;
    double total = 0;
    while (total < options.duration_seconds || times.size() < static_cast<std::size_t>(options.iterations)) {
        report(std::min(total / std::max(options.duration_seconds, 1e-9),
                        static_cast<double>(times.size()) / options.iterations));
        times.push_back(timed_run(session));
        total += times.back();
    }
    report(1);

    std::ranges::sort(times);
    double const runs = static_cast<double>(times.size()), pictures = static_cast<double>(sizes.n);
    result.runs = static_cast<int>(times.size());
    result.min_ms = 1e3 * times.front();
    result.max_ms = 1e3 * times.back();
    result.mean_ms = 1e3 * total / runs;
    result.p50_ms = 1e3 * percentile(times, 50);
    result.p90_ms = 1e3 * percentile(times, 90);
    result.p99_ms = 1e3 * percentile(times, 99);
    result.compute_ms =
        session.engine().data().memory().is_host() ? result.p50_ms : median_compute_ms(session, times.size());
    double const per_second = runs / total;
    result.pictures_per_second = pictures * per_second;
    result.megapixels_per_second = result.pictures_per_second * static_cast<double>(sizes.h * sizes.w) / 1e6;
    result.gflops_per_second = session.engine().flops(sizes) * per_second / 1e9;
    result.arena_bytes = session.arena_bytes();
    result.peak_resident_bytes = peak_resident_bytes();
    return result;
}

}  // namespace vitrum
