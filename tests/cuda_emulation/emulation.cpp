// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <vector>

#include "cuda_runtime.h"

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace emulation {
namespace {

constexpr std::size_t kStackBytes = 256 << 10;
constexpr int kWarp = 32;

/// Threads that have not ended, how many of them wait, and how often all did.
struct Barrier {
    int members = 0, waiting = 0;
    std::uint64_t generation = 0;

    void release_if_complete() {
        if (members == 0 || waiting < members) return;
        waiting = 0;
        ++generation;
    }
};

struct Copy {
    void* to;
    void const* from;
};

/// Runs the threads of one index, block after block. Begun by a context of its own; the switches from then on are
/// jumps, which unlike contexts ask nothing of the system.
struct Fiber {
    ucontext_t context{};
    jmp_buf place{};
    std::unique_ptr<char[]> stack{new char[kStackBytes]};
    bool begun = false;
    bool ended = false;
    std::vector<std::vector<Copy>> copies{1};  ///< groups under way, the last one still open
};

struct Block {
    std::deque<Fiber> fibers;
    std::vector<Barrier> warps;
    std::vector<std::array<std::uint64_t, kWarp>> exchanged;
    std::vector<std::vector<std::byte>> shared_bytes;  ///< of each warp
    std::vector<std::uint64_t> dynamic;                ///< shared memory
    Barrier all;
    std::array<Barrier, 16> named;
    ucontext_t unused{};
    jmp_buf scheduler{};
    int current = 0;
    std::function<void()> const* thread = nullptr;
};

Block block_state;

Fiber& current() {
    return block_state.fibers[static_cast<std::size_t>(block_state.current)];
}
Barrier& warp() {
    return block_state.warps[static_cast<std::size_t>(block_state.current / kWarp)];
}

void resume(int index) {
    block_state.current = index;
    threadIdx = dim3(static_cast<unsigned>(index));
    if (_setjmp(block_state.scheduler) != 0) return;
    if (current().begun) _longjmp(current().place, 1);
    current().begun = true;
    swapcontext(&block_state.unused, &current().context);
}

/// Back to resume().
void yield() {
    if (_setjmp(current().place) == 0) _longjmp(block_state.scheduler, 1);
}

void wait(Barrier& barrier) {
    std::uint64_t const generation = barrier.generation;
    ++barrier.waiting;
    barrier.release_if_complete();
    while (barrier.generation == generation) yield();
}

void leave(Barrier& barrier) {
    --barrier.members;
    barrier.release_if_complete();
}

void body() {
    for (;;) {
        (*block_state.thread)();
        current().ended = true;
        leave(warp());
        leave(block_state.all);
        yield();
    }
}

void add_fiber() {
    Fiber& fiber = block_state.fibers.emplace_back();
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = kStackBytes;
    makecontext(&fiber.context, body, 0);
}

void run_block(int threads, bool backwards) {
    block_state.all = {threads};
    block_state.named = {};
    block_state.warps.assign(static_cast<std::size_t>((threads + kWarp - 1) / kWarp), {});
    block_state.exchanged.resize(block_state.warps.size());
    block_state.shared_bytes.resize(block_state.warps.size());
    std::ranges::fill(block_state.dynamic, ~std::uint64_t{0});
    while (static_cast<int>(block_state.fibers.size()) < threads) add_fiber();
    for (int i = 0; i < threads; ++i) {
        ++block_state.warps[static_cast<std::size_t>(i / kWarp)].members;
        block_state.fibers[static_cast<std::size_t>(i)].ended = false;
        block_state.fibers[static_cast<std::size_t>(i)].copies.assign(1, {});
    }
    for (int left = threads; left > 0;) {
        left = 0;
        for (int step = 0; step < threads; ++step) {
            int const i = backwards ? threads - 1 - step : step;
            if (block_state.fibers[static_cast<std::size_t>(i)].ended) continue;
            resume(i);
            left += block_state.fibers[static_cast<std::size_t>(i)].ended ? 0 : 1;
        }
    }
}

}  // namespace

void run(dim3 grid, dim3 block, std::size_t shared_bytes, std::function<void()> const& thread) {
    static bool backwards = false;
    block_state.dynamic.resize((shared_bytes + 127) / 128 * 16 + 16);
    backwards = !backwards;
    gridDim = grid;
    blockDim = block;
    block_state.thread = &thread;
    for (unsigned i = 0; i < grid.x; ++i) {
        blockIdx = dim3(backwards ? grid.x - 1 - i : i);
        run_block(static_cast<int>(block.x), backwards);
    }
}

void* dynamic_shared() {
    auto const start = reinterpret_cast<std::uintptr_t>(block_state.dynamic.data());
    return reinterpret_cast<void*>((start + 127) / 128 * 128);
}

void share_bytes(void const* mine, std::size_t bytes, void* all) {
    auto& slots = block_state.shared_bytes[static_cast<std::size_t>(block_state.current / kWarp)];
    slots.resize(std::max(slots.size(), bytes * kWarp));
    std::memcpy(slots.data() + bytes * static_cast<std::size_t>(block_state.current % kWarp), mine, bytes);
    wait(warp());
    std::memcpy(all, slots.data(), bytes * kWarp);
    wait(warp());
}

void copy_later(void* to, void const* from, bool exists) {
    if (exists) current().copies.back().push_back({to, from});
    else std::memset(to, 0, 16);
}

void commit_copies() {
    current().copies.emplace_back();
}

void wait_for_copies(int left) {
    auto& groups = current().copies;
    while (static_cast<int>(groups.size()) - 1 > left) {
        for (Copy const& copy : groups.front()) std::memcpy(copy.to, copy.from, 16);
        groups.erase(groups.begin());
    }
}

void wait_until(std::function<bool()> const& done) {
    while (!done()) yield();
}

void named_barrier(int id, int threads) {
    Barrier& barrier = block_state.named[static_cast<std::size_t>(id)];
    barrier.members = threads;
    wait(barrier);
}

std::uint64_t exchange(std::uint64_t value, int source_lane) {
    auto& slots = block_state.exchanged[static_cast<std::size_t>(block_state.current / kWarp)];
    slots[static_cast<std::size_t>(block_state.current % kWarp)] = value;
    wait(warp());
    std::uint64_t const result = slots[static_cast<std::size_t>(source_lane)];
    wait(warp());
    return result;
}

}  // namespace emulation

void __syncthreads() {
    emulation::wait(emulation::block_state.all);
}
void __syncwarp(unsigned) {
    emulation::wait(emulation::warp());
}
