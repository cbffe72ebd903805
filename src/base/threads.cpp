// SPDX-License-Identifier: Apache-2.0
#include "base/threads.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <fstream>

namespace vitrum {
namespace {

/// The cgroup v2 CPU quota in whole cores, or 0 where there is none.
int cgroup_cores() {
    std::ifstream file("/sys/fs/cgroup/cpu.max");
    double quota = 0;
    double period = 0;
    if (!(file >> quota >> period) || period <= 0) return 0;  // "max 100000" fails to parse: no limit
    return std::max(1, static_cast<int>(quota / period));
}

void pause_briefly() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    std::this_thread::yield();
#endif
}

/// Waits until the value differs from `old`: first spinning, since kernels follow each other within
/// microseconds, then in the kernel.
std::uint32_t wait_for_change(std::atomic<std::uint32_t> const& value, std::uint32_t old) {
    for (int spin = 0; spin < 2000; ++spin) {
        if (auto const now = value.load(std::memory_order_acquire); now != old) return now;
        pause_briefly();
    }
    value.wait(old, std::memory_order_acquire);
    return value.load(std::memory_order_acquire);
}

}  // namespace

int available_cores() {
    cpu_set_t set;
    int cores = static_cast<int>(std::thread::hardware_concurrency());
    if (sched_getaffinity(0, sizeof set, &set) == 0) cores = CPU_COUNT(&set);
    if (int const quota = cgroup_cores(); quota > 0) cores = std::min(cores, quota);
    return std::max(1, cores);
}

ThreadPool::ThreadPool(int threads) {
    for (int worker = 1; worker < threads; ++worker) workers_.emplace_back([this, worker] { worker_loop(worker); });
}

ThreadPool::~ThreadPool() {
    stop_.store(true, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    for (auto& worker : workers_) worker.join();
}

void ThreadPool::run(std::int64_t items, Function function, void const* context) {
    function_ = function;
    context_ = context;
    items_ = items;
    next_item_.store(0, std::memory_order_relaxed);
    if (workers_.empty() || items <= 1) return work(0);
    running_.store(static_cast<std::uint32_t>(workers_.size()), std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    work(0);
    for (auto left = running_.load(std::memory_order_acquire); left != 0;) left = wait_for_change(running_, left);
}

void ThreadPool::work(int worker) {
    for (auto item = next_item_.fetch_add(1, std::memory_order_relaxed); item < items_;
         item = next_item_.fetch_add(1, std::memory_order_relaxed)) {
        function_(context_, item, worker);
    }
}

void ThreadPool::worker_loop(int worker) {
    std::uint32_t seen = 0;
    for (;;) {
        seen = wait_for_change(generation_, seen);
        if (stop_.load(std::memory_order_relaxed)) return;
        work(worker);
        if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) running_.notify_one();
    }
}

}  // namespace vitrum
