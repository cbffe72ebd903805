// SPDX-License-Identifier: Apache-2.0
#include "base/narrow.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace vitrum {
namespace {

/// IEEE 754-2019, 3.4, read off the definition: sign · 2^(e − 15) · 1.m, subnormals 2^−14 · 0.m.
double half_by_definition(unsigned bits) {
    int const exponent = static_cast<int>(bits >> 10 & 31U);
    double const mantissa = bits & 1023U;
    double const magnitude = exponent == 0    ? std::ldexp(mantissa, -24)
                             : exponent == 31 ? (mantissa == 0 ? INFINITY : NAN)
                                              : std::ldexp(1024 + mantissa, exponent - 25);
    return bits >> 15 != 0 ? -magnitude : magnitude;
}

TEST(DType, ConvertsEveryHalf) {
    for (unsigned bits = 0; bits <= 0xffff; ++bits) {
        float const value = half_to_float(static_cast<std::uint16_t>(bits));
        double const expected = half_by_definition(bits);
        if (std::isnan(expected)) {
            EXPECT_TRUE(std::isnan(value)) << bits;
        } else {
            EXPECT_EQ(value, expected) << bits;
            EXPECT_EQ(std::signbit(value), std::signbit(expected)) << bits;  // -0 stays -0
        }
    }
}

TEST(DType, ConvertsEveryBfloat16) {
    for (unsigned bits = 0; bits <= 0xffff; ++bits) {
        float const value = bfloat16_to_float(static_cast<std::uint16_t>(bits));
        EXPECT_EQ(std::bit_cast<std::uint32_t>(value), bits << 16);
    }
    EXPECT_EQ(bfloat16_to_float(0x3f80), 1);
    EXPECT_EQ(bfloat16_to_float(0xc040), -3);
}

/// Read off the tables of https://onnx.ai/onnx/technical/float8.html: a sign, that many bits of exponent, the rest
/// fraction; NaN and infinity by name.
double narrow_by_definition(DType type, unsigned code) {
    int const fraction_bits = type == DType::f4e2m1 ? 1 : type == DType::f8e5m2 || type == DType::f8e5m2fnuz ? 2 : 3;
    int const bits = type == DType::f4e2m1 ? 4 : 8, bias = type == DType::f8e4m3fn     ? 7
                                                           : type == DType::f8e4m3fnuz ? 8
                                                           : type == DType::f8e5m2     ? 15
                                                           : type == DType::f8e5m2fnuz ? 16
                                                                                       : 1;
    bool const is_unsigned_zero = type == DType::f8e4m3fnuz || type == DType::f8e5m2fnuz;
    unsigned const magnitude = code & ((1U << (bits - 1)) - 1);
    if (is_unsigned_zero && code == 0x80) return NAN;
    if (type == DType::f8e4m3fn && magnitude == 0x7F) return NAN;
    if (type == DType::f8e5m2 && magnitude >= 0x7C) return magnitude > 0x7C ? NAN : code > 0x7F ? -INFINITY : INFINITY;
    int const exponent = static_cast<int>(magnitude >> fraction_bits);
    double const fraction = std::ldexp(magnitude & ((1U << fraction_bits) - 1), -fraction_bits);
    double const value = std::ldexp(exponent == 0 ? fraction : 1 + fraction, std::max(exponent, 1) - bias);
    return code >> (bits - 1) != 0 ? -value : value;
}

class NarrowFloat : public testing::TestWithParam<DType> {};

TEST_P(NarrowFloat, ReadsEveryCodeAndWritesItBack) {
    for (unsigned code = 0; code < (GetParam() == DType::f4e2m1 ? 16U : 256U); ++code) {
        double const expected = narrow_by_definition(GetParam(), code);
        auto const value = static_cast<double>(narrow_to_float(GetParam(), static_cast<std::uint8_t>(code)));
        if (std::isnan(expected)) {
            EXPECT_TRUE(std::isnan(value)) << code;
            continue;
        }
        EXPECT_EQ(value, expected) << code;
        EXPECT_EQ(std::signbit(value), std::signbit(expected)) << code;
        EXPECT_EQ(float_to_narrow(GetParam(), value, {.saturates = false}), code);
    }
}

TEST_P(NarrowFloat, TakesTheNearerOfTwoNeighboursAndTheEvenOneBetweenThem) {
    for (unsigned code = 0; code < (GetParam() == DType::f4e2m1 ? 7U : 0x7BU); ++code) {
        double const low = narrow_by_definition(GetParam(), code), high = narrow_by_definition(GetParam(), code + 1);
        double const middle = (low + high) / 2;
        EXPECT_EQ(float_to_narrow(GetParam(), middle), code + (code & 1));
        EXPECT_EQ(float_to_narrow(GetParam(), std::nextafter(middle, low)), code);
        EXPECT_EQ(float_to_narrow(GetParam(), std::nextafter(middle, high)), code + 1);
    }
}

TEST_P(NarrowFloat, HoldsWhatIsTooLarge) {
    auto const stored = [](double value, bool saturates) {
        return static_cast<double>(
            narrow_to_float(GetParam(), float_to_narrow(GetParam(), value, {.saturates = saturates})));
    };
    double const largest = stored(1e30, true);
    EXPECT_TRUE(std::isfinite(largest));
    EXPECT_EQ(stored(-INFINITY, true), -largest);
    bool const has_infinity = GetParam() == DType::f8e5m2, has_nan = GetParam() != DType::f4e2m1;
    EXPECT_EQ(std::isnan(stored(1e30, false)), has_nan && !has_infinity);
    EXPECT_EQ(stored(-1e30, false) == -INFINITY, has_infinity);
    EXPECT_EQ(std::isnan(stored(NAN, true)), has_nan);
    EXPECT_EQ(stored(0x1p-40, true), 0);
    EXPECT_EQ(stored(5e-324, true), 0);
}

INSTANTIATE_TEST_SUITE_P(Types, NarrowFloat,
                         testing::Values(DType::f8e4m3fn, DType::f8e4m3fnuz, DType::f8e5m2, DType::f8e5m2fnuz,
                                         DType::f4e2m1),
                         [](auto const& test) { return std::string(name_of(test.param)); });

TEST(DType, PowersOfTwoRoundAsAsked) {
    auto const power = [](double value, Narrowing how) {
        return static_cast<double>(narrow_to_float(DType::f8e8m0, float_to_narrow(DType::f8e8m0, value, how)));
    };
    using Powers = Narrowing::Powers;
    EXPECT_EQ(power(1.1, {.powers = Powers::up}), 2);
    EXPECT_EQ(power(1.9, {.powers = Powers::down}), 1);
    EXPECT_EQ(power(1.4, {.powers = Powers::nearest}), 1);
    EXPECT_EQ(power(1.5, {.powers = Powers::nearest}), 2);
    EXPECT_EQ(power(0, {}), 0x1p-127);
    EXPECT_EQ(power(3e38, {}), 0x1p127);
    EXPECT_TRUE(std::isnan(power(3e38, {.saturates = false})));
    EXPECT_TRUE(std::isnan(power(INFINITY, {})));
}

TEST(DType, NarrowIntegersWrapAround) {
    EXPECT_EQ(narrow_to_float(DType::i4, integer_to_narrow(DType::i4, 9)), -7);
    EXPECT_EQ(narrow_to_float(DType::i4, integer_to_narrow(DType::i4, -8)), -8);
    EXPECT_EQ(narrow_to_float(DType::u4, integer_to_narrow(DType::u4, -1)), 15);
    EXPECT_EQ(narrow_to_float(DType::i2, integer_to_narrow(DType::i2, 2)), -2);
    EXPECT_EQ(narrow_to_float(DType::u2, integer_to_narrow(DType::u2, 7)), 3);
}

TEST(DType, SizesAndNames) {
    EXPECT_EQ(size_of(DType::f32), 4U);
    EXPECT_EQ(size_of(DType::bf16), 2U);
    EXPECT_EQ(size_of(DType::i64), 8U);
    EXPECT_EQ(size_of(DType::boolean), 1U);
    EXPECT_EQ(name_of(DType::bf16), "bfloat16");
    EXPECT_EQ(name_of(DType::boolean), "bool");
}

}  // namespace
}  // namespace vitrum
