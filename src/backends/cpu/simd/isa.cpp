// SPDX-License-Identifier: Apache-2.0
#include "simd/isa.h"

#include "simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/isa.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {

// As an Entry, to go through the same table: the target's number and its lanes.
struct Target {
    std::int64_t bit, lanes;
};
constexpr Target target() {
    return {HWY_TARGET, hwy::HWY_NAMESPACE::MaxLanes(hwy::HWY_NAMESPACE::ScalableTag<float>())};
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vitrum::cpu {
namespace {

struct TargetFacts {
    std::int64_t bit = 0, lanes = 0;
};

constexpr TargetFacts facts(std::nullptr_t) {
    return {};
}
template <class T>
constexpr TargetFacts facts(T (*target)()) {
    T const t = target();
    return {t.bit, t.lanes};
}

constexpr std::array<TargetFacts, kIsas> kTargets = {
    facts(HWY_CHOOSE_FALLBACK(target)),
    facts(VITRUM_CPU_CHOOSE_128(target)),
    facts(HWY_CHOOSE_AVX2(target)),
    facts(HWY_CHOOSE_AVX3(target)),
};

TargetFacts facts_of(Isa isa) {
    return kTargets[static_cast<std::size_t>(isa)];
}

}  // namespace

bool is_usable(Isa isa) {
    std::int64_t const bit = facts_of(isa).bit;
    if (bit == 0) return false;
    if (bit == HWY_STATIC_TARGET) {
        // Where the compiler's baseline is a wider instruction set already, "portable" is only its second name.
        return isa != Isa::portable || facts_of(Isa::simd128).bit != bit;
    }
    return (hwy::SupportedTargets() & bit) != 0;
}

std::string name_of(Isa isa) {
    return hwy::TargetName(facts_of(isa).bit);
}

std::int64_t lanes_of(Isa isa) {
    return facts_of(isa).lanes;
}

}  // namespace vitrum::cpu
#endif
