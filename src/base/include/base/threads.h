// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace vitrum {

/// Cores this process may run on (its affinity mask and its cgroup quota), at least 1.
[[nodiscard]] int available_cores();

/// Fork-join over a range of independent items. Items are handed out one by one from an atomic counter, so
/// uneven items balance themselves; a call neither allocates nor locks. Workers spin for some microseconds
/// between calls, then sleep in the kernel. One caller at a time (a Session owns its pool).
class ThreadPool {
public:
    explicit ThreadPool(int threads);
    ~ThreadPool();
    ThreadPool(ThreadPool const&) = delete;
    ThreadPool& operator=(ThreadPool const&) = delete;

    /// Worker indices are in [0, size()); the caller is worker 0.
    [[nodiscard]] int size() const { return static_cast<int>(workers_.size()) + 1; }

    /// Calls body(item, worker) once for each item in [0, items) and returns when all are done.
    /// The body must not throw.
    template <class Body>
    void parallel_for(std::int64_t items, Body const& body) {
        run(
            items,
            [](void const* context, std::int64_t item, int worker) {
                (*static_cast<Body const*>(context))(item, worker);
            },
            &body);
    }

private:
    using Function = void (*)(void const* context, std::int64_t item, int worker);

    void run(std::int64_t items, Function function, void const* context);
    void work(int worker);
    void worker_loop(int worker);

    Function function_ = nullptr;
    void const* context_ = nullptr;
    std::int64_t items_ = 0;
    // Each on a cache line of its own: workers hammer them.
    alignas(64) std::atomic<std::int64_t> next_item_{0};
    alignas(64) std::atomic<std::uint32_t> generation_{0};
    alignas(64) std::atomic<std::uint32_t> running_{0};
    std::atomic<bool> stop_{false};
    std::vector<std::thread> workers_;
};

}  // namespace vitrum
