// SPDX-License-Identifier: Apache-2.0
#include "host_memory.h"

#include <chrono>

#include "base/buffer.h"
#include "base/check.h"

namespace vitrum {
namespace {

class HostQueue final : public Queue {
public:
    [[nodiscard]] void* handle() const override { return nullptr; }
    int enter() override { return 0; }
    void leave(int) override {}
    void upload(std::byte*, std::byte const*, std::size_t) override { VITRUM_ASSERT(false); }
    void download(std::byte*, std::byte const*, std::size_t) override { VITRUM_ASSERT(false); }
    void copy(TensorView const&, TensorView const&, std::uint32_t*) override { VITRUM_ASSERT(false); }
    void follow(void*) override { VITRUM_ASSERT(false); }
    void precede(void*) override { VITRUM_ASSERT(false); }
    [[nodiscard]] std::optional<Error> launch_error() override { return {}; }
    void wait() override {}
    [[nodiscard]] std::unique_ptr<Recording> record(std::function<void()> const&, std::unique_ptr<Recording>) override {
        return nullptr;
    }
    void begin_step(std::span<std::size_t const>) override {}
    void mark() override { marks_.push_back(Clock::now()); }
    [[nodiscard]] std::vector<double> laps() override {
        std::vector<double> seconds;
        for (std::size_t i = 1; i < marks_.size(); ++i) {
            seconds.push_back(std::chrono::duration<double>(marks_[i] - marks_[i - 1]).count());
        }
        marks_.clear();
        return seconds;
    }

private:
    using Clock = std::chrono::steady_clock;
    std::vector<Clock::time_point> marks_;
};

class HostMemory final : public Memory {
public:
    [[nodiscard]] bool is_host() const override { return true; }
    [[nodiscard]] Block allocate(std::size_t bytes) override {
        auto const buffer = std::make_shared<Buffer>(bytes);
        return {std::shared_ptr<std::byte>(buffer, buffer->data()), bytes};
    }
    [[nodiscard]] Block allocate_staging(std::size_t) override { VITRUM_ASSERT(false); }
    void upload(std::byte*, std::byte const*, std::size_t) override { VITRUM_ASSERT(false); }
    [[nodiscard]] std::uint64_t free_bytes() const override { VITRUM_ASSERT(false); }
    [[nodiscard]] std::unique_ptr<Queue> make_queue() override { return std::make_unique<HostQueue>(); }
};

}  // namespace

Memory& memory_of(Backend const& backend) {
    static HostMemory host;
    return backend.memory() != nullptr ? *backend.memory() : host;
}

}  // namespace vitrum
