// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vitrum/model.h"
#include "vitrum/precision.h"

namespace vitrum {

enum class Device {
    cpu,        ///< fused SIMD kernels, the instruction set chosen at run time
    reference,  ///< scalar kernels with float64 sums: slow, the meaning of every operator
    cuda,       ///< an NVIDIA GPU, by libvitrum_cuda.so
};

struct CompileOptions {
    Device device = Device::cpu;
    int threads = 0;       ///< 0: every core that this process may use
    std::string isa = {};  ///< forces an instruction set of the CPU backend ("AVX2"); empty: the best
    int device_index = 0;  ///< which GPU, as CUDA counts them
    /// Empty: an engine file's own, else fp32, the only one on CPUs (in_automatic_precision() finds a faster one).
    std::optional<Precision> precision = std::nullopt;
};

struct DeviceName {
    Device device = Device::cpu;
    int index = 0;  ///< of several GPUs
};
/// What "cpu", "reference", "cuda" (the first GPU) or "cuda:1" names. Throws Error (usage) for anything else.
[[nodiscard]] VITRUM_API DeviceName device_named(std::string_view name);
/// The name of the device that the options choose.
[[nodiscard]] VITRUM_API std::string device_name(CompileOptions const& options);

/// What "fp32", "tf32", "bf16", "fp16" or "auto" (empty) names. Throws Error (usage) for anything else.
[[nodiscard]] VITRUM_API std::optional<Precision> precision_named(std::string_view name);

/// One input or output of a network.
struct TensorInfo {
    std::string name;                 ///< "input", "output_masks"
    std::vector<std::int64_t> shape;  ///< [N, H, W, C]; [N, 1, Q, C] where there are queries instead of pixels
    bool queries = false;             ///< the latter, which other libraries hold as [N, Q, C]
    std::string dtype = "float32";    ///< NumPy's name of the element type
    /// Of an ONNX file's value that is no float32 [N, C, H, W]: the shape is the file's own.
    bool as_stated = false;
};

/// The shapes of all inputs of an ONNX graph, in its order and as its file states them.
class InputShapes {
public:
    explicit InputShapes(std::vector<std::vector<std::int64_t>> shapes) : shapes_(std::move(shapes)) {}
    [[nodiscard]] std::vector<std::vector<std::int64_t>> const& each() const { return shapes_; }
    bool operator==(InputShapes const&) const = default;

private:
    std::vector<std::vector<std::int64_t>> shapes_;
};

/// Which kernel runs one operator at some size, and why better-placed ones declined.
struct KernelChoice {
    std::string op;          ///< "WindowAttention"
    std::string provenance;  ///< "layers.0.residual_group.blocks.1.attn"
    std::string kernel;
    std::vector<std::string> refusals;  ///< "kernel: reason"
};

/// Time and traffic of one operator, summed over the runs of a profile.
struct OpProfile {
    std::string op;
    std::string provenance;
    std::string kernel;
    double seconds = 0;  ///< mean of one run
    double flops = 0;    ///< of one run
    double bytes = 0;    ///< activations and weights read and written once each, of one run
};

/// How much of a long job is done. Called from the thread that runs it; a false answer cancels the job
/// (Error, nothing written).
using Progress = std::function<bool(double fraction)>;

/// What one operator of a run gave. Valid during the call only.
struct LayerValue {
    std::size_t index = 0;  ///< among the operators of the graph
    std::string op;
    std::string provenance;
    std::vector<std::int64_t> shape;  ///< [N, H, W, C] of its first output
    std::span<float const> values;    ///< packed
};

/// A tensor of a network in memory of the engine's device that the caller holds.
struct DeviceTensor {
    std::byte* data = nullptr;
    /// NumPy's name of its element type: the network's (TensorInfo::dtype) or, for float32, also another floating-point
    /// one that float16, bfloat16 and float64 are.
    std::string dtype = "float32";
    /// From one element to the next of each dimension, in elements; empty: packed, as TensorInfo::shape says. Elements
    /// of an output must not share their memory.
    std::vector<std::int64_t> strides = {};
};

/// What is wrong with the numbers that a run gave, if anything: `out_of_range` ones are finite, but not in the element
/// type that the caller asked for.
enum class Outcome : std::uint8_t { fine, out_of_range, not_finite };

/// Runs that gave NaN or Inf in the precision asked for and were made again in a more exact one: by the one that they
/// ended in.
struct Reruns {
    int in_tf32 = 0, in_fp32 = 0;

    [[nodiscard]] int count() const { return in_tf32 + in_fp32; }
    bool operator==(Reruns const&) const = default;
    /// Since an earlier count of the same.
    [[nodiscard]] Reruns since(Reruns const& earlier) const {
        return {in_tf32 - earlier.in_tf32, in_fp32 - earlier.in_fp32};
    }
};

class Session;

/// A network made ready for one device: the optimised graph with canonical weights, and packed weights as
/// kernels ask for them. Cheap to copy, shareable between threads; each thread runs a Session of its own.
class VITRUM_API Engine {
public:
    /// Throws Error: weights that hold NaN or Inf, an instruction set this machine lacks, a precision that the device
    /// lacks (usage).
    static Engine compile(Model const& model, CompileOptions const& options = {});
    /// Loads an engine file written by save(). Throws Error: truncated, altered or written by a newer version; compiled
    /// for another precision than the options ask for (usage).
    static Engine load(std::filesystem::path const& path, CompileOptions const& options = {});
    /// Takes either: a `.vitrum` engine file, or anything that Model::load reads.
    static Engine open(std::filesystem::path const& path, CompileOptions const& options = {},
                       Overrides const& overrides = {});

    /// The same network for another device, in the precision that it has by default; weights are shared.
    [[nodiscard]] Engine on_device(Device device) const;

    /// The same network on the same device in another precision; weights are shared, and packed anew at need. Throws
    /// Error (usage) where the device lacks it.
    [[nodiscard]] Engine in_precision(Precision precision) const;

    /// Writes an engine file: whole or not at all.
    void save(std::filesystem::path const& path) const;

    [[nodiscard]] ModelInfo const& info() const;
    [[nodiscard]] CompileOptions const& options() const;
    [[nodiscard]] std::string isa() const;
    /// What products are computed in, or more exactly than that: explain() tells each operator's kernel.
    [[nodiscard]] Precision precision() const;
    /// The optimised graph, one line an operator. Graphs from ONNX files differ by size, others do not.
    [[nodiscard]] std::string graph_text(Sizes const& sizes = {1, 64, 64}) const;
    [[nodiscard]] std::vector<KernelChoice> explain(Sizes const& sizes) const;
    [[nodiscard]] double flops(Sizes const& sizes) const;
    /// Bytes of activations that a session needs at these sizes; nothing is allocated to find out.
    [[nodiscard]] std::size_t arena_bytes(Sizes const& sizes) const;
    /// Bytes of weights held: canonical and packed so far.
    [[nodiscard]] std::size_t weight_bytes() const;
    /// What goes in and what comes out for a picture of these sizes. Input 0 is the picture.
    [[nodiscard]] std::vector<TensorInfo> inputs(Sizes const& sizes) const;
    [[nodiscard]] std::vector<TensorInfo> outputs(Sizes const& sizes) const;
    /// The same for inputs of these shapes, of an ONNX graph that is of no known family (Task::tensors). Throws Error
    /// (usage) where they contradict what the file states.
    [[nodiscard]] std::vector<TensorInfo> inputs(InputShapes const& shapes) const;
    [[nodiscard]] std::vector<TensorInfo> outputs(InputShapes const& shapes) const;
    /// Names and element types of the inputs, for callers who do not know shapes yet: they are left empty.
    [[nodiscard]] std::vector<TensorInfo> declared_inputs() const;
    /// Memory of the engine's device, undefined at first; goes back with the last copy. Throws Error (out_of_memory).
    [[nodiscard]] std::shared_ptr<std::byte> allocate(std::size_t bytes) const;

    struct Data;
    explicit Engine(std::shared_ptr<Data> data) : data_(std::move(data)) {}
    [[nodiscard]] Data& data() const { return *data_; }

private:
    std::shared_ptr<Data> data_;
};

/// Runs an engine: threads, activation memory and the program of the last few sizes. One thread at a time.
class VITRUM_API Session {
public:
    explicit Session(Engine engine);
    ~Session();
    Session(Session&&) noexcept;
    Session& operator=(Session&&) noexcept;

    /// Makes the program and the memory for these sizes ready (milliseconds); a no-op when they are current.
    /// Throws Error (out_of_memory) where memory cannot be had; the session stays usable.
    void prepare(Sizes const& sizes);
    /// The same for an ONNX graph of no known family, by the shapes of its inputs.
    void prepare(InputShapes const& shapes);

    /// A prepared input, float32 [N, H, W, C] packed, to be filled before run(): raw network values,
    /// 0 … info().value_range for pictures. Its shape is engine().inputs(sizes)[index].
    [[nodiscard]] std::span<float> input(std::size_t index = 0);
    /// A result of the last run(), float32 [N, H, W, C] packed; valid until the next prepare().
    [[nodiscard]] std::span<float const> output(std::size_t index = 0) const;
    /// The same as bytes, for values of other element types (TensorInfo::dtype), row-major.
    [[nodiscard]] std::span<std::byte> input_bytes(std::size_t index);
    [[nodiscard]] std::span<std::byte const> output_bytes(std::size_t index) const;

    /// Runs the network on its inputs. Allocates nothing, takes no lock. Progress is told after each operator.
    void run(Progress const& progress = nullptr);

    /// Runs the network and, where a precision below fp32 gave NaN or Inf, runs it again on the same inputs in a more
    /// exact one: after fp16 and bf16 in tf32, then in fp32. Weights are packed for that at the first need. What fp32
    /// does not mend is left to the caller to find. Fetch input() and output() anew after this. Throws Error
    /// (out_of_memory) where the more exact run finds no memory; the session stays usable after prepare().
    void run_checked(Progress const& progress = nullptr);
    /// Runs the network on tensors that lie on the engine's device, which is no CPU, after all that `stream` has been
    /// given (a cudaStream_t; null: the default one) and before all that it will be. Returns when that is queued: the
    /// memory stays the run's until the stream gets there. input() and output() have no part in it. Throws Error
    /// (usage): tensors that are not the prepared ones in number or element type, an engine on the host.
    void run(std::span<DeviceTensor const> inputs, std::span<DeviceTensor const> outputs, void* stream);
    /// The same, but waits for the result and runs again in a more exact precision as the other one does, for which the
    /// inputs have to stay as they are: outputs must not lie in their memory.
    [[nodiscard]] Outcome run_checked(std::span<DeviceTensor const> inputs, std::span<DeviceTensor const> outputs,
                                      void* stream);
    /// Returns when all that runs on the device's tensors have queued is done.
    void wait();
    /// How many calls of run_checked() ended in a more exact precision, since the session was made.
    [[nodiscard]] Reruns reruns() const;

    /// Runs once and shows what each operator gave.
    void run_layers(std::function<void(LayerValue const&)> const& look);

    /// Runs `runs` times and tells what each took on the engine's device: on GPUs without the copies to and from it.
    [[nodiscard]] std::vector<double> compute_seconds(int runs);

    /// Runs `runs` times and tells the time of each operator.
    [[nodiscard]] std::vector<OpProfile> profile(int runs);

    [[nodiscard]] Engine const& engine() const;
    [[nodiscard]] std::size_t arena_bytes() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace vitrum
