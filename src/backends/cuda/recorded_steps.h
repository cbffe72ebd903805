// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <span>
#include <vector>

namespace vitrum::cuda {

/// The steps of a run that a stream records (Queue::begin_step). A stream lets everything wait for what came before;
/// this makes each step's first node wait for the last ones of what it needs.
class RecordedSteps {
public:
    /// Nothing where the stream does not record.
    void begin(cudaStream_t stream, std::span<std::size_t const> needed);

private:
    using Nodes = std::vector<cudaGraphNode_t>;

    bool begun_ = false;
    Nodes prelude_;            ///< the last of those before the first step
    std::vector<Nodes> ends_;  ///< the last of each step, or, where it has none, what it waits for
};

}  // namespace vitrum::cuda
