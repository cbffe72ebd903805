// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor_view.h"
#include "ir/op.h"
#include "vitrum/precision.h"

// The contract between the engine and a backend. A kernel is a struct with
//     static constexpr std::string_view kName;
//     static Support supports(OpType const&, Problem const&);
//     static std::vector<Packing> packings(OpType const&, Problem const&);          // weights it wants repacked
//     static std::size_t workspace_bytes(OpType const&, Problem const&, int threads);
//     static std::vector<int> reusable_inputs(OpType const&, Problem const&);       // output may overwrite these
//     static void launch(OpType const&, Launch const&);
// and a backend lists, per operator, its kernels from best to most general (see kernel_list.h).

namespace vitrum {

class ThreadPool;

/// An expected yes or no, with the reason that the user is shown (`vitrum inspect --why`).
struct Support {
    bool ok = true;
    std::string why;
};

/// One operator at concrete sizes. Shapes are in the order of the operator's `enum Input`;
/// an absent optional input has rank 0.
struct Problem {
    std::vector<Shape> inputs;
    std::vector<Shape> outputs;
    std::vector<bool> present;              ///< which inputs exist
    Precision precision = Precision::fp32;  ///< of products' operands: a kernel may be more exact, never less
};

/// Which packed form of a weight: unique within a backend, equal keys give equal bytes.
struct PackingKey {
    int kind = 0;            ///< an enumerator of the backend
    std::int64_t isa = 0;    ///< instruction set it was made for
    std::int64_t param = 0;  ///< e.g. the number of heads
    // NOLINTNEXTLINE(modernize-use-nullptr): compares with a zero that is not written here
    auto operator<=>(PackingKey const&) const = default;
};

/// A repacked weight that a kernel wants: made once per (tensor, key) and cached on the engine.
struct Packing {
    int input = 0;  ///< index into the operator's inputs
    PackingKey key;
    std::size_t bytes = 0;
    /// Fills `to` (64-byte aligned, zeroed) from the canonical float32 weight.
    void (*pack)(float const* from, Shape const& shape, PackingKey const& key, std::byte* to) = nullptr;
};

/// Everything a kernel gets to run: nothing in it needs looking up, nothing may be allocated. On devices every address
/// is the device's, weights are 64-byte aligned, and launch() queues its work on the stream and returns.
struct Launch {
    std::span<TensorView const> inputs;  ///< data is null for absent inputs; weights in canonical float32
    std::span<TensorView const> outputs;
    std::span<std::byte const* const> packed;  ///< in the order of packings()
    std::byte* workspace = nullptr;            ///< 64-byte aligned, contents undefined
    ThreadPool* threads = nullptr;             ///< null on devices
    void* stream = nullptr;                    ///< a device backend's queue (cudaStream_t)
};

struct Refusal {
    std::string_view kernel;
    std::string why;
};

/// The kernel chosen for one problem, and those before it that refused.
struct Selection {
    std::string_view kernel;
    std::size_t workspace_bytes = 0;
    std::vector<Packing> packings;
    std::vector<int> reusable_inputs;
    void (*launch)(Op const& op, Launch const& launch) = nullptr;  ///< null: every kernel refused
    std::vector<Refusal> refusals;
};

/// An operator of a program with the kernel chosen for it.
struct Chosen {
    Op const& op;
    Problem const& problem;
    Selection const& selection;
};

/// An operator with what its own kernel would get.
struct OpLaunch {
    Op const* op = nullptr;
    Launch const* launch = nullptr;
};

/// One kernel for several operators that follow each other.
struct ChainKernel {
    static constexpr std::size_t kMostSteps = 16;
    std::string_view name;
    std::size_t steps = 0;  ///< how many of the first ones it does, at least 2; 0: there is none
    /// With the packings of the kernels that it stands for, and the workspace of the first of them alone.
    void (*launch)(std::span<OpLaunch const> steps) = nullptr;
};

class Memory;

class Backend {
public:
    virtual ~Backend() = default;
    [[nodiscard]] virtual std::string_view name() const = 0;
    /// The instruction set that kernels will use: "AVX3", "AVX2", "scalar".
    [[nodiscard]] virtual std::string isa() const = 0;
    /// Floats from one pixel to the next of an activation with that many channels.
    [[nodiscard]] virtual std::int64_t pixel_stride(std::int64_t channels) const = 0;
    [[nodiscard]] virtual Selection select(Op const& op, Problem const& problem, int threads) const = 0;
    /// For operators of which the first reads one activation and each of the others nothing but what the one before it
    /// makes; nobody else reads that, so that it is never written. The outputs of all lie in the same place, and may
    /// lie where the first one reads.
    [[nodiscard]] virtual ChainKernel chain(std::span<Chosen const> /*steps*/) const { return {}; }
    /// Where kernels find activations and weights; null: in the host's memory.
    [[nodiscard]] virtual Memory* memory() const { return nullptr; }
};

}  // namespace vitrum
