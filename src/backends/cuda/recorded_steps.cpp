// SPDX-License-Identifier: Apache-2.0
#include "recorded_steps.h"

#include <algorithm>
#include <utility>

#include "memory.h"

namespace vitrum::cuda {

void RecordedSteps::begin(cudaStream_t stream, std::span<std::size_t const> needed) {
    constexpr char const* kDoing = "recording a graph of kernels";
    cudaStreamCaptureStatus status{};
    cudaGraphNode_t const* last = nullptr;
    cudaGraphEdgeData const* edges = nullptr;
    std::size_t count = 0;
    check(cudaStreamGetCaptureInfo(stream, &status, nullptr, nullptr, &last, &edges, &count), kDoing);
    if (status != cudaStreamCaptureStatusActive) return;
    Nodes now(last, last + count);
    if (std::exchange(begun_, true)) ends_.push_back(std::move(now));
    else prelude_ = std::move(now);

    Nodes before = needed.empty() ? prelude_ : Nodes();
    for (std::size_t const step : needed) before.insert(before.end(), ends_[step].begin(), ends_[step].end());
    std::ranges::sort(before);
    before.erase(std::ranges::unique(before).begin(), before.end());
    // Of kernels that begin early (Start::early) recording makes the edges programmatic, also where there are several.
    check(cudaStreamUpdateCaptureDependencies(stream, before.data(), nullptr, before.size(),
                                              cudaStreamSetCaptureDependencies),
          kDoing);
}

}  // namespace vitrum::cuda
