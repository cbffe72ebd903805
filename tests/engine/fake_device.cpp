// SPDX-License-Identifier: Apache-2.0
#include "fake_device.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <thread>

#include "base/buffer.h"
#include "base/check.h"
#include "base/threads.h"
#include "fake_copy.h"
#include "reference/backend.h"
#include "rounding.h"

namespace vitrum::test {
namespace {

using Function = void (*)(Op const&, Launch const&);

/// Far beyond any address of this process: whoever reads there on the host faults.
constexpr std::uintptr_t kAway = std::uintptr_t{1} << 60;

std::byte* moved(std::byte const* address, std::uintptr_t by) {
    return reinterpret_cast<std::byte*>(reinterpret_cast<std::uintptr_t>(address) + by);
}

/// The number that an operand of this precision holds.
float rounded(float value, Precision precision) {
    switch (precision) {
        case Precision::fp32: return value;
        case Precision::tf32: return std::bit_cast<float>(cuda::tf32_bits(value));
        case Precision::bf16: return bfloat16_to_float(cuda::bfloat16_bits(value));
        case Precision::fp16: return half_to_float(cuda::half_bits(value));
    }
    return value;
}

/// A rounded copy of a tensor, packed.
class Rounded {
public:
    Rounded(TensorView const& of, Precision precision) : values_(static_cast<std::size_t>(of.shape.count())) {
        copy_to_f32({of.data, of.dtype, of.shape, of.strides}, values_.data());
        for (float& value : values_) value = rounded(value, precision);
        view_ = {reinterpret_cast<std::byte*>(values_.data()), DType::f32, of.shape, of.shape.contiguous_strides()};
    }
    [[nodiscard]] TensorView const& view() const { return view_; }

private:
    std::vector<float> values_;
    TensorView view_;
};

class FakeMemory final : public Memory {
public:
    explicit FakeMemory(FakeLog& log) : log_(log) {}

    [[nodiscard]] bool is_host() const override { return false; }
    [[nodiscard]] Block allocate(std::size_t bytes) override {
        std::scoped_lock const lock(mutex_);
        if (bytes > log_.memory_limit - log_.bytes_held) fail_as(ErrorKind::out_of_memory, "the device is full");
        auto const buffer = std::make_shared<Buffer>(bytes);
        if (bytes > 0) std::memset(buffer->data(), 0xff, bytes);
        log_.bytes_held += bytes;
        std::byte* const data = moved(buffer->data(), kAway);
        blocks_[data] = bytes;
        return {std::shared_ptr<std::byte>(data, [this, buffer](std::byte* block) { release(block); }), bytes};
    }
    [[nodiscard]] Block allocate_staging(std::size_t bytes) override {
        auto const buffer = std::make_shared<Buffer>(bytes);
        if (bytes > 0) std::memset(buffer->data(), 0xff, bytes);
        std::scoped_lock const lock(mutex_);
        log_.staging_held += bytes;
        auto const release = [this, buffer](std::byte*) {
            std::scoped_lock const again(mutex_);
            log_.staging_held -= buffer->size_bytes();
        };
        return {std::shared_ptr<std::byte>(buffer->data(), release), bytes};
    }
    void upload(std::byte* to, std::byte const* from, std::size_t bytes) override {
        std::memcpy(host_address(to, bytes), from, bytes);
        std::scoped_lock const lock(mutex_);
        ++log_.weight_uploads[from];
    }
    [[nodiscard]] std::uint64_t free_bytes() const override {
        std::scoped_lock const lock(mutex_);
        return (log_.hides_limit ? SIZE_MAX : log_.memory_limit) - log_.bytes_held;
    }
    [[nodiscard]] std::unique_ptr<Queue> make_queue() override;

    /// Where the bytes of a device address really are.
    [[nodiscard]] std::byte* host_address(std::byte const* address, std::size_t bytes) const {
        std::scoped_lock const lock(mutex_);
        auto const after = blocks_.upper_bound(moved(address, 0));
        if (after != blocks_.begin()) {
            auto const& [start, size] = *std::prev(after);
            if (static_cast<std::size_t>(address - start) + bytes <= size) return moved(address, 0 - kAway);
        }
        throw std::logic_error("an address that is none of the device's");
    }

    [[nodiscard]] FakeLog& log() { return log_; }
    [[nodiscard]] Selection select(Op const& op, Problem const& problem, int threads);
    [[nodiscard]] Function real_kernel(Op const& op) const {
        std::scoped_lock const lock(mutex_);
        return kernels_.at(op.index());
    }

private:
    void release(std::byte* block) {
        std::scoped_lock const lock(mutex_);
        log_.bytes_held -= blocks_.at(block);
        blocks_.erase(block);
    }

    FakeLog& log_;
    mutable std::mutex mutex_;
    std::map<std::byte*, std::size_t> blocks_;
    std::unique_ptr<Backend> reference_ = make_reference_backend();
    std::array<Function, std::variant_size_v<Op>> kernels_{};  ///< the reference has one for each operator
};

class FakeQueue final : public Queue {
public:
    explicit FakeQueue(FakeMemory& memory) : memory_(memory) {}

    [[nodiscard]] void* handle() const override { return const_cast<FakeQueue*>(this); }
    int enter() override {
        thread_ = std::this_thread::get_id();
        return ++entered_;
    }
    void leave(int before) override {
        if (before != entered_) throw std::logic_error("left what was not entered");
        if (--entered_ == 0) thread_ = {};
    }
    void upload(std::byte* to, std::byte const* from, std::size_t bytes) override {
        push([=, this] { std::memcpy(memory_.host_address(to, bytes), from, bytes); });
    }
    void download(std::byte* to, std::byte const* from, std::size_t bytes) override {
        push([=, this] { std::memcpy(to, memory_.host_address(from, bytes), bytes); });
    }
    void copy(TensorView const& to, TensorView const& from, std::uint32_t* faults) override {
        push([=, this] { copy_now(to, from, faults); });
    }
    void follow(void* other) override {
        if (other == nullptr) return;
        push([other] { static_cast<FakeQueue*>(other)->wait(); });
    }
    void precede(void* other) override {
        if (other == nullptr) return;
        static_cast<FakeQueue*>(other)->pending_.emplace_back([this] { wait(); });
    }
    [[nodiscard]] std::optional<Error> launch_error() override { return std::exchange(launch_error_, {}); }
    void wait() override {
        auto const work = std::exchange(pending_, {});
        for (auto const& item : work) item();
    }
    [[nodiscard]] std::unique_ptr<Recording> record(std::function<void()> const& work,
                                                    std::unique_ptr<Recording> older) override;
    void begin_step(std::span<std::size_t const> needed) override {
        if (is_recording_) steps_.push_back({{needed.begin(), needed.end()}, std::exchange(pending_, {})});
    }
    void mark() override { ++marks_; }
    [[nodiscard]] std::vector<double> laps() override {
        wait();
        return std::vector<double>(static_cast<std::size_t>(std::exchange(marks_, 0) - 1), 1e-3);
    }

    void push(std::function<void()> item) {
        if (thread_ != std::this_thread::get_id()) throw std::logic_error("this thread did not enter()");
        pending_.push_back(std::move(item));
    }
    void launch(Op const& op, Launch const& launch, Precision precision);
    void count_chain(std::size_t steps) { ++memory_.log().chains, memory_.log().chained += static_cast<int>(steps); }

private:
    class Steps;
    struct RecordedStep {
        std::vector<std::size_t> needed;
        std::vector<std::function<void()>> before;  ///< what came between the step before and this one's beginning
    };

    [[nodiscard]] std::vector<std::function<void()>> capture(std::function<void()> const& work);
    void copy_now(TensorView const& to, TensorView const& from, std::uint32_t* faults) const;
    void run(Op const& op, Precision precision, std::vector<TensorView> inputs, std::vector<TensorView> outputs,
             std::vector<std::byte const*> packed, std::byte* workspace);
    [[nodiscard]] TensorView on_host(TensorView view) const;

    FakeMemory& memory_;
    std::thread::id thread_;
    std::vector<std::function<void()>> pending_;
    bool is_recording_ = false;
    int entered_ = 0;
    std::vector<RecordedStep> steps_;
    std::optional<Error> launch_error_;
    ThreadPool threads_{1};
    int marks_ = 0;
};

/// Of the steps that wait for nothing any more the last comes first: an order as far from the recorded one as can be,
/// so that it shows where a step waits for too little.
class FakeQueue::Steps final : public Recording {
public:
    explicit Steps(FakeQueue& queue) : queue_(queue) {}

    void add(std::vector<std::size_t> needed, std::vector<std::function<void()>> items) {
        needed_.push_back(std::move(needed));
        items_.push_back(std::move(items));
    }
    void begin_with(std::vector<std::function<void()>> items) { first_ = std::move(items); }

    void replay() override {
        ++queue_.memory_.log().replays;
        push(first_);
        std::vector<bool> done(items_.size(), false);
        for (std::size_t last = 0, count = 0; count < items_.size(); ++count) {
            std::size_t const step = last_ready(done);
            if (count > 0 && step < last) ++queue_.memory_.log().overtaken;
            last = step;
            push(items_[step]);
            done[step] = true;
        }
    }
    [[nodiscard]] std::size_t bytes() const override { return queue_.memory_.log().recording_bytes; }

    /// Whether it did: steps may not wait for others than before.
    [[nodiscard]] bool become(Steps& other) {
        if (&queue_ != &other.queue_) throw std::logic_error("another queue's recording");
        if (queue_.memory_.log().refuses_updates || needed_ != other.needed_) return false;
        std::swap(first_, other.first_);
        std::swap(items_, other.items_);
        return true;
    }

private:
    [[nodiscard]] std::size_t last_ready(std::vector<bool> const& done) const {
        for (std::size_t step = items_.size(); step-- > 0;) {
            if (!done[step] && std::ranges::all_of(needed_[step], [&](std::size_t i) { return done.at(i); }))
                return step;
        }
        throw std::logic_error("steps wait for each other");
    }
    void push(std::vector<std::function<void()>> const& items) {
        for (auto const& item : items) queue_.push(item);
    }

    FakeQueue& queue_;
    std::vector<std::function<void()>> first_;  ///< what came before the first step
    std::vector<std::vector<std::size_t>> needed_;
    std::vector<std::vector<std::function<void()>>> items_;
};

std::unique_ptr<Recording> FakeQueue::record(std::function<void()> const& work, std::unique_ptr<Recording> older) {
    auto const last = capture(work);
    auto recording = std::make_unique<Steps>(*this);
    auto const begun = std::exchange(steps_, {});
    recording->begin_with(begun.empty() ? last : begun.front().before);
    for (std::size_t i = 0; i < begun.size(); ++i) {
        recording->add(begun[i].needed, i + 1 < begun.size() ? begun[i + 1].before : last);
    }
    if (older != nullptr && static_cast<Steps&>(*older).become(*recording)) {
        ++memory_.log().updates;
        return older;
    }
    ++memory_.log().recordings;
    return recording;
}

/// What was queued behind the last step's beginning; the others are in steps_.
std::vector<std::function<void()>> FakeQueue::capture(std::function<void()> const& work) {
    auto waiting = std::exchange(pending_, {});
    steps_.clear();
    is_recording_ = true;
    std::exception_ptr failure;
    try {
        work();
    } catch (...) {
        failure = std::current_exception();
    }
    is_recording_ = false;
    auto last = std::exchange(pending_, std::move(waiting));
    if (failure != nullptr) std::rethrow_exception(failure);
    return last;
}

void FakeQueue::copy_now(TensorView const& to, TensorView const& from, std::uint32_t* faults) const {
    std::uint32_t const seen = copy_elements(on_host(to), on_host(from));
    if (faults == nullptr) return;
    auto* const word =
        reinterpret_cast<std::uint32_t*>(memory_.host_address(reinterpret_cast<std::byte*>(faults), sizeof(*faults)));
    *word |= seen;
}

TensorView FakeQueue::on_host(TensorView view) const {
    if (view.data == nullptr) return view;
    auto const bytes = static_cast<std::size_t>(view.shape.count()) * size_of(view.dtype);
    view.data = memory_.host_address(view.data, bytes);
    return view;
}

void FakeQueue::launch(Op const& op, Launch const& launch, Precision precision) {
    if (launch.threads != nullptr) throw std::logic_error("threads of the host for a device");
    ++memory_.log().launches;
    if (name_of(op) == memory_.log().refuse_launch_of) {
        launch_error_.emplace("too many resources", memory_.log().refusal);
        return;
    }
    push([this, &op, precision, inputs = std::vector(launch.inputs.begin(), launch.inputs.end()),
          outputs = std::vector(launch.outputs.begin(), launch.outputs.end()),
          packed = std::vector(launch.packed.begin(), launch.packed.end()),
          workspace = launch.workspace] { run(op, precision, inputs, outputs, packed, workspace); });
}

void FakeQueue::run(Op const& op, Precision precision, std::vector<TensorView> inputs, std::vector<TensorView> outputs,
                    std::vector<std::byte const*> packed, std::byte* workspace) {
    for (TensorView& view : inputs) view = on_host(view);
    std::optional<Rounded> operand;
    if (memory_.log().rounds && std::holds_alternative<Conv2d>(op)) {
        inputs[Conv2d::kX] = operand.emplace(inputs[Conv2d::kX], precision).view();
    }
    for (TensorView& view : outputs) view = on_host(view);
    for (std::byte const*& weights : packed) weights = memory_.host_address(weights, 0);
    if (memory_.log().stray_write) *memory_.host_address(workspace - 1, 1) = std::byte{0};
    memory_.real_kernel(op)(op, {.inputs = inputs,
                                 .outputs = outputs,
                                 .packed = packed,
                                 .workspace = memory_.host_address(workspace, 0),
                                 .threads = &threads_});
}

std::unique_ptr<Queue> FakeMemory::make_queue() {
    return std::make_unique<FakeQueue>(*this);
}

template <Precision kPrecision>
static void launch_in(Op const& op, Launch const& launch) {
    static_cast<FakeQueue*>(launch.stream)->launch(op, launch, kPrecision);
}

static void launch_chain(std::span<OpLaunch const> steps) {
    static_cast<FakeQueue*>(steps.front().launch->stream)->count_chain(steps.size());
    for (OpLaunch const& step : steps) launch_in<Precision::fp32>(*step.op, *step.launch);
}

Selection FakeMemory::select(Op const& op, Problem const& problem, int threads) {
    Selection selection = reference_->select(op, problem, threads);
    std::scoped_lock const lock(mutex_);
    log_.precisions.insert(problem.precision);
    kernels_.at(op.index()) = selection.launch;
    selection.workspace_bytes += log_.more_workspace[problem.precision];
    bool const is_mlp = std::holds_alternative<Mlp>(op), is_attention = std::holds_alternative<WindowAttention>(op);
    int const residual = is_mlp ? int{Mlp::kResidual} : int{WindowAttention::kResidual};
    if (log_.longest_chain > 0 && (is_mlp || is_attention)) selection.reusable_inputs = {0, residual};
    switch (problem.precision) {
        case Precision::fp32: selection.launch = launch_in<Precision::fp32>; break;
        case Precision::tf32: selection.launch = launch_in<Precision::tf32>; break;
        case Precision::bf16: selection.launch = launch_in<Precision::bf16>; break;
        case Precision::fp16: selection.launch = launch_in<Precision::fp16>; break;
    }
    return selection;
}

class FakeDevice final : public Backend {
public:
    explicit FakeDevice(FakeLog& log) : memory_(log) {}
    [[nodiscard]] std::string_view name() const override { return "fake"; }
    [[nodiscard]] std::string isa() const override { return "fake"; }
    [[nodiscard]] std::int64_t pixel_stride(std::int64_t channels) const override { return channels + 3; }
    [[nodiscard]] Selection select(Op const& op, Problem const& problem, int threads) const override {
        return memory_.select(op, problem, threads);
    }
    [[nodiscard]] ChainKernel chain(std::span<Chosen const> steps) const override {
        std::size_t const most = std::min(memory_.log().longest_chain, steps.size());
        auto const is = [&](std::size_t i, std::string_view name) { return i < most && name_of(steps[i].op) == name; };
        ChainKernel chain{"chain", 0, launch_chain};
        while (is(chain.steps, "WindowAttention") && is(chain.steps + 1, "Mlp")) chain.steps += 2;
        return chain;
    }
    [[nodiscard]] Memory* memory() const override { return &memory_; }

private:
    mutable FakeMemory memory_;
};

}  // namespace

std::unique_ptr<Backend const> make_fake_device(FakeLog& log) {
    return std::make_unique<FakeDevice>(log);
}

}  // namespace vitrum::test
