// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <exception>
#include <iterator>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/check.h"
#include "element_copy.h"
#include "memory.h"
#include "recorded_steps.h"

namespace vitrum::cuda {
namespace {

/// Of the types that copy_elements() knows.
bool may_be_infinite(DType type) {
    return type == DType::f32 || type == DType::f64 || type == DType::f16 || type == DType::bf16;
}

struct DestroyGraph {
    void operator()(cudaGraph_t graph) const { static_cast<void>(cudaGraphDestroy(graph)); }
};
using Graph = std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, DestroyGraph>;

/// A captured graph: one launch for all kernels and copies of a run.
class CapturedGraph final : public Recording {
public:
    CapturedGraph(Graph graph, cudaStream_t stream) : stream_(stream) { prepare(std::move(graph)); }
    ~CapturedGraph() override {
        for (Prepared const& each : prepared_) static_cast<void>(cudaGraphExecDestroy(each.graph));
    }
    CapturedGraph(CapturedGraph const&) = delete;
    CapturedGraph& operator=(CapturedGraph const&) = delete;

    void replay() override {
        check(cudaGraphLaunch(prepared_.back().graph, stream_), "launching a graph of kernels");
        captured_.reset();
    }
    [[nodiscard]] std::size_t bytes() const override {
        std::size_t nodes = 0;
        for (Prepared const& each : prepared_) nodes += each.nodes;
        return nodes * kBytesPerNode;
    }

    /// Does from now on what another graph does.
    void become(Graph graph) {
        for (auto each = prepared_.rbegin(); each != prepared_.rend(); ++each) {
            if (!update(*each, graph)) continue;
            std::rotate(prepared_.rbegin(), each, std::next(each));
            captured_ = std::move(graph);
            return;
        }
        if (prepared_.size() == kMostPrepared) {
            check(cudaStreamSynchronize(stream_), kPreparing);  // it may be running
            static_cast<void>(cudaGraphExecDestroy(prepared_.front().graph));
            prepared_.erase(prepared_.begin());
        }
        prepare(std::move(graph));
    }

private:
    struct Prepared {
        cudaGraphExec_t graph;
        std::size_t nodes;
    };

    void prepare(Graph graph) {
        Prepared made{};
        check(cudaGraphGetNodes(graph.get(), nullptr, &made.nodes), kPreparing);
        prepared_.reserve(kMostPrepared);
        check(cudaGraphInstantiate(&made.graph, graph.get(), 0), kPreparing);
        prepared_.push_back(made);
        captured_ = std::move(graph);
    }

    /// Whether it could, since the nodes are the same but for what they are given.
    static bool update(Prepared const& to, Graph const& graph) {
        cudaGraphExecUpdateResultInfo why{};
        cudaError_t const result = cudaGraphExecUpdate(to.graph, graph.get(), &why);
        if (result != cudaErrorGraphExecUpdateFailure) {
            check(result, kPreparing);
            return true;
        }
        static_cast<void>(cudaGetLastError());
        return false;
    }

    static constexpr char const* kPreparing = "preparing a graph of kernels";
    static constexpr std::size_t kBytesPerNode = 8192;  // measured: 3500 on the device, about as much on the host
    /// Kernels begin early or not, or are others, by their size: a network has a few kinds of graphs.
    static constexpr std::size_t kMostPrepared = 4;

    cudaStream_t stream_;
    std::vector<Prepared> prepared_;  ///< the last one runs
    Graph captured_;                  ///< goes while the device is busy
};

class Stream final : public Queue {
public:
    explicit Stream(int device) : device_(device) {
        OnDevice const here(device);
        check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream");
        check(cudaEventCreateWithFlags(&arrival_, cudaEventDisableTiming), "making an event");
    }
    ~Stream() override {
        int before = device_;
        static_cast<void>(cudaGetDevice(&before));
        static_cast<void>(cudaSetDevice(device_));
        static_cast<void>(cudaStreamSynchronize(stream_));
        for (cudaEvent_t const event : marks_) static_cast<void>(cudaEventDestroy(event));
        static_cast<void>(cudaEventDestroy(arrival_));
        static_cast<void>(cudaStreamDestroy(stream_));
        OnDevice::leave(before);
    }
    Stream(Stream const&) = delete;
    Stream& operator=(Stream const&) = delete;

    [[nodiscard]] void* handle() const override { return stream_; }
    int enter() override { return OnDevice::enter(device_); }
    void leave(int before) override { OnDevice::leave(before); }

    void upload(std::byte* to, std::byte const* from, std::size_t bytes) override {
        check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_), "copying to the GPU");
    }
    void download(std::byte* to, std::byte const* from, std::size_t bytes) override {
        check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_), "copying from the GPU");
    }

    void copy(TensorView const& to, TensorView const& from, std::uint32_t* faults) override {
        bool const as_it_is = to.dtype == from.dtype && to.is_contiguous() && from.is_contiguous();
        if (as_it_is && (faults == nullptr || !may_be_infinite(to.dtype))) {
            auto const bytes = static_cast<std::size_t>(to.shape.count()) * size_of(to.dtype);
            return check(cudaMemcpyAsync(to.data, from.data, bytes, cudaMemcpyDeviceToDevice, stream_),
                         "copying on the GPU");
        }
        copy_elements(to, from, faults, stream_);
    }
    void follow(void* other) override {
        auto* const stream = static_cast<cudaStream_t>(other);
        cudaStreamCaptureStatus status{};
        check(cudaStreamIsCapturing(stream, &status), "looking at the caller's stream");
        if (status != cudaStreamCaptureStatusNone) {
            fail_as(ErrorKind::usage,
                    "the caller's stream is being captured, and a run cannot be part of another CUDA "
                    "graph: it is one itself, on memory that later runs use and move");
        }
        order(stream, stream_);
    }
    void precede(void* other) override { order(stream_, static_cast<cudaStream_t>(other)); }

    [[nodiscard]] std::optional<Error> launch_error() override {
        cudaError_t const result = cudaGetLastError();
        if (result == cudaSuccess) return {};
        return Error(fmt::format("{} ({})", cudaGetErrorString(result), cudaGetErrorName(result)), kind_of(result));
    }

    void wait() override { check(cudaStreamSynchronize(stream_), "running kernels"); }

    [[nodiscard]] std::unique_ptr<Recording> record(std::function<void()> const& work,
                                                    std::unique_ptr<Recording> older) override {
        Graph graph = capture(work);
        if (older == nullptr) return std::make_unique<CapturedGraph>(std::move(graph), stream_);
        static_cast<CapturedGraph&>(*older).become(std::move(graph));
        return older;
    }

    void begin_step(std::span<std::size_t const> needed) override { steps_.begin(stream_, needed); }

    void mark() override {
        cudaEvent_t event = nullptr;
        check(cudaEventCreate(&event), "making an event");
        marks_.push_back(event);
        check(cudaEventRecord(event, stream_), "recording an event");
    }

    [[nodiscard]] std::vector<double> laps() override {
        std::vector<cudaEvent_t> const marks = std::exchange(marks_, {});
        cudaError_t result = cudaStreamSynchronize(stream_);
        std::vector<double> seconds;
        for (std::size_t i = 1; i < marks.size() && result == cudaSuccess; ++i) {
            float milliseconds = 0;
            result = cudaEventElapsedTime(&milliseconds, marks[i - 1], marks[i]);
            seconds.push_back(static_cast<double>(milliseconds) * 1e-3);
        }
        for (cudaEvent_t const event : marks) static_cast<void>(cudaEventDestroy(event));
        check(result, "timing kernels");
        return seconds;
    }

private:
    [[nodiscard]] Graph capture(std::function<void()> const& work) {
        constexpr char const* kDoing = "recording a graph of kernels";
        steps_ = {};
        // Of this thread only: other threads may allocate meanwhile.
        check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), kDoing);
        std::exception_ptr failure;
        try {
            work();
        } catch (...) {
            failure = std::current_exception();
        }
        cudaGraph_t captured = nullptr;
        cudaError_t const result = cudaStreamEndCapture(stream_, &captured);
        Graph graph(captured);
        if (failure != nullptr) {
            static_cast<void>(cudaGetLastError());
            std::rethrow_exception(failure);
        }
        check(result, kDoing);
        return graph;
    }

    /// The event may be recorded again at once: who waits for it waits for what it was then.
    void order(cudaStream_t first, cudaStream_t second) {
        check(cudaEventRecord(arrival_, first), "recording an event");
        check(cudaStreamWaitEvent(second, arrival_, 0), "waiting for an event");
    }

    int device_;
    cudaStream_t stream_ = nullptr;
    cudaEvent_t arrival_ = nullptr;
    RecordedSteps steps_;  ///< of the recording that is being made
    std::vector<cudaEvent_t> marks_;
};

}  // namespace

std::unique_ptr<Queue> make_stream(int device) {
    return std::make_unique<Stream>(device);
}

}  // namespace vitrum::cuda
