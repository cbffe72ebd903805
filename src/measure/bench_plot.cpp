// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include <fmt/core.h>

#include "image/diagram.h"
#include "vitrum/measure.h"

namespace vitrum {

void save_bench_plot(std::span<BenchResult const> results, std::filesystem::path const& path) {
    std::vector<BenchResult> sorted(results.begin(), results.end());
    auto const megapixels = [](BenchResult const& r) {
        return static_cast<double>(r.sizes.h) * static_cast<double>(r.sizes.w) / 1e6;
    };
    std::ranges::stable_sort(sorted, {}, megapixels);
    std::map<std::int64_t, DiagramLine> by_batch;
    for (BenchResult const& r : sorted) {
        DiagramLine& line = by_batch[r.sizes.n];
        auto const pictures = static_cast<double>(r.sizes.n);
        line.name = fmt::format("batch {}", r.sizes.n);
        line.x.push_back(megapixels(r));
        line.y.push_back(r.p50_ms / pictures);
        line.low.push_back(r.min_ms / pictures);
        line.high.push_back(r.p90_ms / pictures);
    }
    Diagram diagram{"input (Mpixel)", "time per picture (ms): median, fastest to p90", {}};
    for (auto& [batch, line] : by_batch) diagram.lines.push_back(std::move(line));
    save_diagram(diagram, path);
}

}  // namespace vitrum
