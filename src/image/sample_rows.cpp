// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "sample_rows.h"

#include "samples.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "sample_rows.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::image::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
std::int64_t convert(float const* from, std::int64_t count, T* to) {
    hn::ScalableTag<float> const d;
    hn::Rebind<std::int32_t, decltype(d)> const integers;
    hn::Rebind<T, decltype(d)> const samples;
    auto const white = hn::Set(d, kWhite<T>);
    auto const lanes = static_cast<std::int64_t>(hn::Lanes(d));
    std::int64_t not_finite = 0, i = 0;
    for (; i + lanes <= count; i += lanes) {
        auto const value = hn::LoadU(d, from + i);
        auto const finite = hn::IsFinite(value);
        not_finite += lanes - static_cast<std::int64_t>(hn::CountTrue(d, finite));
        auto const scaled = hn::IfThenElseZero(finite, hn::Mul(value, white));
        auto const clamped = hn::Min(hn::Max(scaled, hn::Zero(d)), white);
        auto const rounded = hn::ConvertTo(integers, hn::Add(clamped, hn::Set(d, 0.5F)));  // cut off: half goes up
        hn::StoreU(hn::DemoteTo(samples, rounded), samples, to + i);
    }
    for (; i < count; ++i) {
        bool const finite = std::isfinite(from[i]);
        not_finite += finite ? 0 : 1;
        to[i] = to_sample<T>(finite ? from[i] * kWhite<T> : 0.F);
    }
    return not_finite;
}

std::int64_t convert_to_u8(float const* from, std::int64_t count, std::uint8_t* to) {
    return convert(from, count, to);
}
std::int64_t convert_to_u16(float const* from, std::int64_t count, std::uint16_t* to) {
    return convert(from, count, to);
}

}  // namespace vitrum::image::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vitrum::image {

HWY_EXPORT(convert_to_u8);
HWY_EXPORT(convert_to_u16);

std::int64_t samples_from_float(float const* from, std::int64_t count, std::uint8_t* to) {
    return HWY_DYNAMIC_DISPATCH(convert_to_u8)(from, count, to);
}
std::int64_t samples_from_float(float const* from, std::int64_t count, std::uint16_t* to) {
    return HWY_DYNAMIC_DISPATCH(convert_to_u16)(from, count, to);
}

}  // namespace vitrum::image
#endif
