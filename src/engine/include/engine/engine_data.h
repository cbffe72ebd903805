// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <mutex>

#include "backends/backend.h"
#include "importers/onnx.h"
#include "ir/graph.h"
#include "vitrum/engine.h"

namespace vitrum {

struct Program;
class Memory;
class PackedWeights;

/// What the activations of an upsampler may take before it is computed in strips (see strips.h) of about that much.
constexpr std::size_t kStripBytes = std::size_t{256} << 20;

/// Graphs of an ONNX file, of one size each, that are kept by engine and sessions: they hold what was computed for that
/// size, masks above all, and packed weights.
constexpr std::size_t kOnnxGraphsKept = 4;

struct Engine::Data {
    /// One graph for all sizes, on the backend that the options name, or on a `chosen` one.
    Data(ModelInfo model_info, Graph optimised, CompileOptions compile_options,
         std::shared_ptr<Backend const> chosen = nullptr);
    /// A graph for each size.
    Data(ModelInfo model_info, std::shared_ptr<OnnxSource const> onnx_source, CompileOptions compile_options,
         std::shared_ptr<Backend const> chosen = nullptr);
    ~Data();

    /// A graph and the packed forms of its constants, which live as long as it does.
    struct Prepared {
        std::shared_ptr<Graph const> graph;
        std::shared_ptr<PackedWeights> packed;
    };
    /// The graph for these sizes: the only one, or from the last few used, or made now.
    Prepared prepared(Sizes const& sizes);
    /// The same by the shapes of inputs; throws Error (usage) where there is one graph for all sizes.
    Prepared prepared(InputShapes const& shapes);
    /// The program for these sizes or shapes: from the last few used, or made now.
    std::shared_ptr<Program const> program(Sizes const& sizes);
    std::shared_ptr<Program const> program(InputShapes const& shapes);
    /// That program in the next more exact precision, with the same weights; null where it is fp32's.
    std::shared_ptr<Program const> more_exact(Program const& program);
    /// Bytes of activations in the precision that takes most, of those that a checked run may end in.
    [[nodiscard]] std::size_t largest_arena_bytes(Sizes const& sizes);
    /// Where the backend's kernels find activations and weights.
    [[nodiscard]] Memory& memory() const;
    /// The same network for other options, on the backend that they name, or on a `chosen` one.
    [[nodiscard]] std::shared_ptr<Data> with(CompileOptions const& other,
                                             std::shared_ptr<Backend const> chosen = nullptr) const;

    ModelInfo info;
    CompileOptions options;
    std::shared_ptr<Backend const> backend;
    std::shared_ptr<OnnxSource const> onnx;             ///< null where there is one graph for all sizes
    Overrides onnx_settings;                            ///< that its file was opened with
    Prepared only;                                      ///< that graph
    std::atomic<int> sessions = 0;                      ///< that there are
    std::size_t strip_bytes = kStripBytes;              ///< set before the first program is made
    std::size_t program_bytes = std::size_t{64} << 20;  ///< of programs kept beside the one used last

private:
    /// A program and what is looked for in it, so that a search touches the list alone.
    struct Kept {
        Graph const* graph;
        Sizes sizes;
        std::shared_ptr<Program const> program;
    };
    using Types = std::vector<DenseType>;
    [[nodiscard]] Prepared with_weights(Graph graph) const;
    [[nodiscard]] Types types_of(InputShapes const& shapes) const;
    Prepared prepared_unlocked(Types const& inputs);
    std::shared_ptr<Program const> program(Prepared const& from, Sizes const& sizes);
    [[nodiscard]] std::list<Kept> forget_least_used();

    [[nodiscard]] std::shared_ptr<Program const> make(Prepared const& prepared, Sizes const& sizes,
                                                      Precision precision) const;

    mutable std::mutex mutex_;
    std::list<std::pair<Types, Prepared>> graphs_;  ///< by their inputs, most recently used first
    std::list<Kept> programs_;                      ///< most recently used first
    std::size_t kept_bytes_ = 0;                    ///< of all of them
};

}  // namespace vitrum
