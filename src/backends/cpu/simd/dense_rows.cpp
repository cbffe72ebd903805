// SPDX-License-Identifier: Apache-2.0
// Softmax and costly functions on dense float32: numbers that lie side by side in vector lanes.
#include <cmath>
#include <limits>

#include "base/threads.h"
#include "pack.h"
#include "simd/dense.h"
#include "simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/dense_rows.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/activation-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kItem = 16384;  ///< floats of an item at least: 64 KiB of each tensor

/// The numbers of a row behind its last whole vector, filled up.
struct Rest {
    alignas(64) float numbers[kLanes];
    Rest(float const* from, std::int64_t count, float filler) {
        std::fill_n(std::copy_n(from, count, numbers), kLanes - count, filler);
    }
    [[nodiscard]] HWY_INLINE Vf load() const { return hn::Load(F32(), numbers); }
    HWY_INLINE void store(Vf x, std::int64_t count, float* to) {
        hn::Store(x, F32(), numbers);
        std::copy_n(numbers, count, to);
    }
};

/// e^(x − largest): 0 where x is −∞, and NaN stays.
HWY_INLINE Vf power(Vf x, Vf largest) {
    F32 const d;
    Vf const exponent = hn::Mul(hn::Sub(x, largest), hn::Set(d, kLog2E));
    return hn::IfThenZeroElse(hn::Lt(exponent, hn::Set(d, -126.0F)), exp2_nonpositive(exponent));
}

HWY_INLINE void softmax_row(float const* x, std::int64_t length, float* y) {
    F32 const d;
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    std::int64_t const whole = length / kLanes * kLanes;
    Rest rest(x + whole, length - whole, -kInfinity);
    Vf top = rest.load();
    for (std::int64_t i = 0; i < whole; i += kLanes) top = hn::Max(top, hn::LoadU(d, x + i));
    float const found = hn::GetLane(hn::MaxOfLanes(d, top));
    Vf const largest = hn::Set(d, found == -kInfinity ? 0.0F : found);  // of −∞ alone: NaN, by the division
    Vf const last = power(rest.load(), largest);
    Vf sum = last;
    for (std::int64_t i = 0; i < whole; i += kLanes) {
        Vf const p = power(hn::LoadU(d, x + i), largest);
        sum = hn::Add(sum, p);
        hn::StoreU(p, d, y + i);
    }
    Vf const factor = hn::Div(hn::Set(d, 1.0F), hn::SumOfLanes(d, sum));
    for (std::int64_t i = 0; i < whole; i += kLanes) hn::StoreU(hn::Mul(hn::LoadU(d, y + i), factor), d, y + i);
    rest.store(hn::Mul(last, factor), length - whole, y + whole);
}

void launch_softmax(Dense const&, Launch const& launch) {
    Shape const& shape = launch.inputs[0].shape;
    std::int64_t const length = shape[shape.rank() - 1], rows = shape.count() / length;
    std::int64_t const together = std::max<std::int64_t>(1, kItem / length);
    auto const* const x = reinterpret_cast<float const*>(launch.inputs[0].data);
    auto* const y = reinterpret_cast<float*>(launch.outputs[0].data);
    launch.threads->parallel_for((rows + together - 1) / together, [&](std::int64_t item, int) {
        std::int64_t const end = std::min(rows, (item + 1) * together);
        for (std::int64_t row = item * together; row < end; ++row)
            softmax_row(x + row * length, length, y + row * length);
    });
}

/// What x · Φ(x) and x · sigmoid(x) are computed as elsewhere: ∞ and NaN stay, −∞ · 0 is NaN. A lost number must show.
HWY_INLINE Vf or_limit(Vf x, Vf y) {
    F32 const d;
    Vf const limit = hn::Mul(x, hn::IfThenElseZero(hn::Gt(x, hn::Zero(d)), hn::Set(d, 1.0F)));
    return hn::IfThenElse(hn::IsFinite(x), y, limit);
}

struct GeluOfAny {
    HWY_INLINE Vf operator()(Vf x) const { return or_limit(x, gelu(x)); }
};
struct SwishOfAny {
    HWY_INLINE Vf operator()(Vf x) const { return or_limit(x, hn::Mul(x, sigmoid(x))); }
};
struct SigmoidOfAny {
    HWY_INLINE Vf operator()(Vf x) const {
        return hn::IfThenZeroElse(hn::Eq(x, hn::Set(F32(), -std::numeric_limits<float>::infinity())), sigmoid(x));
    }
};

template <class F>
void launch_function(Launch const& launch, F const& f) {
    std::int64_t const all = launch.outputs[0].shape.count();
    launch.threads->parallel_for((all + kItem - 1) / kItem, [&](std::int64_t item, int) {
        std::int64_t const count = std::min(kItem, all - item * kItem), whole = count / kLanes * kLanes;
        auto const* const from = reinterpret_cast<float const*>(launch.inputs[0].data) + item * kItem;
        auto* const to = reinterpret_cast<float*>(launch.outputs[0].data) + item * kItem;
        transform(from, whole, to, f);
        Rest rest(from + whole, count - whole, 0);
        rest.store(f(rest.load()), count - whole, to + whole);
    });
}

void launch_unary(Dense const& op, Launch const& launch) {
    switch (std::get<dense::Unary>(op.op).function) {
        case dense::UnaryFunction::gelu: return launch_function(launch, GeluOfAny());
        case dense::UnaryFunction::sigmoid: return launch_function(launch, SigmoidOfAny());
        case dense::UnaryFunction::swish: return launch_function(launch, SwishOfAny());
        default: return;  // has_fast_unary() lets no others through
    }
}

std::size_t no_workspace(Dense const&, Problem const&, int) {
    return 0;
}

}  // namespace

constexpr Entry<Dense> softmax_entry() {
    return {no_workspace, launch_softmax};
}
constexpr Entry<Dense> unary_entry() {
    return {no_workspace, launch_unary};
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vitrum::cpu {
constinit EntryTable<Dense> const kSoftmax = VITRUM_CPU_TABLE(Dense, softmax_entry);
constinit EntryTable<Dense> const kUnary = VITRUM_CPU_TABLE(Dense, unary_entry);
}  // namespace vitrum::cpu
#endif
