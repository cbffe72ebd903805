// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

#include "base/buffer.h"
#include "base/threads.h"
#include "vitrum/measure.h"

namespace vitrum {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kRounds = 20000;
constexpr std::int64_t kChains = 16;  // enough independent multiply-adds to hide their latency on two ports

/// kRounds dependent multiply-adds in each of kChains vectors. `Vector` is a GCC vector type; the attribute
/// of the callers decides which instructions it becomes.
template <class Vector>
[[gnu::always_inline]] inline float multiply_add_chains() {
    Vector sums[kChains];
    for (std::int64_t i = 0; i < kChains; ++i) sums[i] = Vector{} + static_cast<float>(i);
    Vector const factor = Vector{} + 0.999F, term = Vector{} + 0.001F;
    for (std::int64_t round = 0; round < kRounds; ++round) {
#pragma GCC unroll 16
        for (std::int64_t i = 0; i < kChains; ++i) sums[i] = sums[i] * factor + term;
    }
    for (std::int64_t i = 1; i < kChains; ++i) sums[0] += sums[i];
    return sums[0][0];
}

struct Chains {
    float (*run)();
    std::int64_t lanes;
};

using Floats4 = float __attribute__((vector_size(16)));
float chains_4() {
    return multiply_add_chains<Floats4>();
}

#ifdef __x86_64__
using Floats8 = float __attribute__((vector_size(32)));
using Floats16 = float __attribute__((vector_size(64)));
[[gnu::target("avx2,fma")]] float chains_8() {
    return multiply_add_chains<Floats8>();
}
[[gnu::target("avx512f")]] float chains_16() {
    return multiply_add_chains<Floats16>();
}

Chains widest_chains() {
    if (__builtin_cpu_supports("avx512f")) return {chains_16, 16};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {chains_8, 8};
    return {chains_4, 4};
}
#else
Chains widest_chains() {
    return {chains_4, 4};
}
#endif

/// The best rate of several tries of `work`, which returns how much it did.
template <class Work>
double best_rate(double seconds, Work const& work) {
    double best = 0;
    for (auto const end = Clock::now() + std::chrono::duration<double>(seconds); Clock::now() < end;) {
        auto const start = Clock::now();
        double const amount = work();
        best = std::max(best, amount / std::chrono::duration<double>(Clock::now() - start).count());
    }
    return best;
}

double flops_per_second(ThreadPool& threads) {
    Chains const chains = widest_chains();
    std::atomic<float> sink = 0;  // keeps the work from being removed
    return best_rate(0.08, [&] {
        threads.parallel_for(threads.size(), [&](std::int64_t, int) { sink = chains.run(); });
        return static_cast<double>(threads.size() * kRounds * kChains * chains.lanes * 2);
    });
}

double bytes_per_second(ThreadPool& threads) {
    constexpr std::size_t kPerThread = std::size_t{48} << 20;  // beyond what a core has of any cache
    std::size_t const words = kPerThread / sizeof(std::uint64_t);
    Buffer const buffer(kPerThread * static_cast<std::size_t>(threads.size()));
    auto* const data = reinterpret_cast<std::uint64_t*>(buffer.data());
    threads.parallel_for(threads.size(), [&](std::int64_t item, int) {
        std::fill_n(data + static_cast<std::size_t>(item) * words, words, std::uint64_t{1});
    });
    std::atomic<std::uint64_t> sink = 0;
    return best_rate(0.12, [&] {
        threads.parallel_for(threads.size(), [&](std::int64_t item, int) {
            std::uint64_t const* const part = data + static_cast<std::size_t>(item) * words;
            std::uint64_t sum[8] = {};
            for (std::size_t i = 0; i < words; i += 8) {
                for (std::size_t k = 0; k < 8; ++k) sum[k] += part[i + k];
            }
            sink = sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
        });
        return static_cast<double>(buffer.size_bytes());
    });
}

}  // namespace

Roofline measure_roofline(int threads) {
    ThreadPool pool(threads > 0 ? threads : available_cores());
    return {flops_per_second(pool), bytes_per_second(pool)};
}

double share_of_roofline(OpProfile const& op, Roofline const& roof) {
    double const least = std::max(op.flops / roof.flops_per_second, op.bytes / roof.bytes_per_second);
    return op.seconds > 0 ? least / op.seconds : 0;
}

}  // namespace vitrum
