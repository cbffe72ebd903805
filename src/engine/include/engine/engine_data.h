// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <list>
#include <memory>
#include <mutex>

#include "backends/backend.h"
#include "ir/graph.h"
#include "vitrum/engine.h"

namespace vitrum {

struct Program;
class PackedWeights;

struct Engine::Data {
    Data(ModelInfo model_info, Graph optimised, CompileOptions compile_options);
    ~Data();

    /// The program for these sizes: from the last few used, or made now.
    std::shared_ptr<Program const> program(Sizes const& sizes);

    ModelInfo info;
    Graph graph;
    CompileOptions options;
    std::unique_ptr<Backend const> backend;
    std::unique_ptr<PackedWeights> packed;

private:
    std::mutex mutex_;
    std::list<std::shared_ptr<Program const>> programs_;  ///< most recently used first
};

}  // namespace vitrum
