// SPDX-License-Identifier: Apache-2.0
#include "layout.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

namespace vitrum::python {
namespace {

/// The bits of IEEE binary16 and of bfloat16.
struct Half {
    std::uint16_t bits;
};
struct Bfloat {
    std::uint16_t bits;
};

float to_float(float value) {
    return value;
}
float to_float(double value) {
    return static_cast<float>(value);
}
float to_float(Bfloat value) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}
float to_float(Half value) {
    std::uint32_t const sign = static_cast<std::uint32_t>(value.bits & 0x8000U) << 16;
    std::uint32_t const magnitude = value.bits & 0x7FFFU;
    // Subnormals are multiples of 2^-24, which float32 holds exactly.
    if (magnitude < 0x400)
        return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(0x1p-24F * static_cast<float>(magnitude)));
    std::uint32_t const rebias = magnitude >= 0x7C00 ? 0x70000000U : 0x38000000U;
    return std::bit_cast<float>(sign | ((magnitude << 13) + rebias));
}

/// Round to nearest, ties to even, as every framework does.
template <class T>
T from_float(float value) {
    auto bits = std::bit_cast<std::uint32_t>(value);
    if constexpr (std::is_same_v<T, Bfloat>) {
        if (std::isnan(value)) return {static_cast<std::uint16_t>((bits >> 16) | 0x40U)};
        return {static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16)};
    } else if constexpr (std::is_same_v<T, Half>) {
        auto const sign = static_cast<std::uint32_t>((bits >> 16) & 0x8000U);
        bits &= 0x7FFFFFFFU;
        if (bits > 0x7F800000U) return {static_cast<std::uint16_t>(sign | 0x7E00U)};
        if (bits >= 0x47800000U) return {static_cast<std::uint16_t>(sign | 0x7C00U)};  // from 65536
        if (bits < 0x38800000U) {  // subnormal: adding 1/2 leaves multiples of 2^-24 in the mantissa
            float const shifted = std::bit_cast<float>(bits) + 0.5F;
            return {static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3F000000U))};
        }
        bits += 0xC8000FFFU + ((bits >> 13) & 1U);  // rebias the exponent by 15 - 127, and round
        return {static_cast<std::uint16_t>(sign | (bits >> 13))};
    } else {
        return static_cast<T>(value);
    }
}

bool is_finite(float value) {
    return (std::bit_cast<std::uint32_t>(value) & 0x7F800000U) != 0x7F800000U;
}

/// The packed rows of both sides, so that each is walked in its own order.
template <class T>
T* row_of(Planes const& planes, std::int64_t n, std::int64_t y) {
    return static_cast<T*>(planes.data) + n * planes.n_stride + y * planes.h_stride;
}

/// Pixels that are turned at a time: a cache line of each float32 plane, beside all channels of the packed side.
constexpr std::int64_t kBlock = 16;

template <class T>
void row_to_nhwc(Planes const& planes, T const* from, float* to) {
    if constexpr (std::is_same_v<T, float>) {
        if (planes.c_stride == 1 && planes.w_stride == planes.c) {
            std::memcpy(to, from, static_cast<std::size_t>(planes.w * planes.c) * sizeof(float));
            return;
        }
    }
    for (std::int64_t begin = 0; begin < planes.w; begin += kBlock) {
        std::int64_t const end = std::min(begin + kBlock, planes.w);
        for (std::int64_t c = 0; c < planes.c; ++c) {
            T const* const plane = from + c * planes.c_stride;
            for (std::int64_t x = begin; x < end; ++x) to[x * planes.c + c] = to_float(plane[x * planes.w_stride]);
        }
    }
}

template <class T>
Outcome row_from_nhwc(float const* from, Planes const& planes, T* to) {
    bool finite = true, fits = true;
    for (std::int64_t begin = 0; begin < planes.w; begin += kBlock) {
        std::int64_t const end = std::min(begin + kBlock, planes.w);
        for (std::int64_t c = 0; c < planes.c; ++c) {
            T* const plane = to + c * planes.c_stride;
            for (std::int64_t x = begin; x < end; ++x) {
                float const value = from[x * planes.c + c];
                T const stored = from_float<T>(value);
                finite &= is_finite(value);
                if constexpr (sizeof(T) == 2) fits &= is_finite(to_float(stored));
                plane[x * planes.w_stride] = stored;
            }
        }
    }
    return !finite ? Outcome::not_finite : !fits ? Outcome::out_of_range : Outcome::fine;
}

/// Calls body with a value of the C++ type of the elements.
template <class Body>
auto visit(Element element, Body const& body) {
    switch (element) {
        case Element::f16: return body(Half{});
        case Element::bf16: return body(Bfloat{});
        case Element::f64: return body(double{});
        case Element::f32: break;
    }
    return body(float{});
}

}  // namespace

void to_nhwc(Planes const& from, float* to) {
    visit(from.element, [&]<class T>(T) {
        for (std::int64_t n = 0; n < from.n; ++n) {
            for (std::int64_t y = 0; y < from.h; ++y, to += from.w * from.c) {
                row_to_nhwc(from, row_of<T const>(from, n, y), to);
            }
        }
    });
}

Outcome from_nhwc(float const* from, Planes const& to) {
    return visit(to.element, [&]<class T>(T) {
        auto worst = Outcome::fine;
        for (std::int64_t n = 0; n < to.n; ++n) {
            for (std::int64_t y = 0; y < to.h; ++y, from += to.w * to.c) {
                auto const values = row_from_nhwc(from, to, row_of<T>(to, n, y));
                if (worst != Outcome::not_finite && values != Outcome::fine) worst = values;
            }
        }
        return worst;
    });
}

bool all_finite(Planes const& row) {
    return visit(row.element, [&]<class T>(T) {
        bool finite = true;
        auto const* const values = static_cast<T const*>(row.data);
        for (std::int64_t i = 0; i < row.w; ++i) {
            if constexpr (std::is_same_v<T, double>) finite &= std::isfinite(values[i]);
            else finite &= is_finite(to_float(values[i]));
        }
        return finite;
    });
}

}  // namespace vitrum::python
