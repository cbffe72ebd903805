// SPDX-License-Identifier: Apache-2.0
#include "base/tensor_view.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <span>
#include <vector>

namespace vitrum {
namespace {

template <class T>
std::vector<float> copied(std::vector<T> const& from, DType dtype, Shape const& shape, Shape const& strides,
                          std::size_t first = 0) {
    // One byte off every alignment, as in the middle of a checkpoint.
    std::vector<std::byte> bytes(from.size() * sizeof(T) + 1);
    std::ranges::copy(std::as_bytes(std::span(from)), bytes.begin() + 1);
    std::vector<float> to(static_cast<std::size_t>(shape.count()), -99.0F);
    copy_to_f32({bytes.data() + 1 + first * sizeof(T), dtype, shape, strides}, to.data());
    return to;
}

template <class T>
std::vector<float> copied_row(std::vector<T> const& from, DType dtype) {
    Shape const shape{static_cast<std::int64_t>(from.size())};
    return copied(from, dtype, shape, shape.contiguous_strides());
}

using Floats = std::vector<float>;

TEST(CopyToF32, TakesEveryElementType) {
    EXPECT_EQ(copied_row<float>({1.5F, -2}, DType::f32), (Floats{1.5F, -2}));
    EXPECT_EQ(copied_row<std::uint16_t>({0x3c00, 0xc000, 0x0001}, DType::f16), (Floats{1, -2, 0x1p-24F}));
    EXPECT_EQ(copied_row<std::uint16_t>({0x3f80, 0xc000}, DType::bf16), (Floats{1, -2}));
    EXPECT_EQ(copied_row<double>({0.1, -1e300}, DType::f64), (Floats{0.1F, -std::numeric_limits<float>::infinity()}));
    EXPECT_EQ(copied_row<std::int8_t>({-128, 127}, DType::i8), (Floats{-128, 127}));
    EXPECT_EQ(copied_row<std::uint8_t>({0, 255}, DType::u8), (Floats{0, 255}));
    EXPECT_EQ(copied_row<std::int16_t>({-32768, 32767}, DType::i16), (Floats{-32768, 32767}));
    EXPECT_EQ(copied_row<std::int32_t>({-7, 1 << 24}, DType::i32), (Floats{-7, 0x1p24F}));
    EXPECT_EQ(copied_row<std::int64_t>({-7, std::int64_t{1} << 40}, DType::i64), (Floats{-7, 0x1p40F}));
    EXPECT_EQ(copied_row<std::uint8_t>({0, 1}, DType::boolean), (Floats{0, 1}));
}

TEST(CopyToF32, FollowsStrides) {
    Floats const values{0, 1, 2, 3, 4, 5};
    EXPECT_EQ(copied(values, DType::f32, {2, 3}, {3, 1}), values);
    EXPECT_EQ(copied(values, DType::f32, {3, 2}, {1, 3}), (Floats{0, 3, 1, 4, 2, 5}));  // transposed
    EXPECT_EQ(copied(values, DType::f32, {2, 2}, {3, 2}), (Floats{0, 2, 3, 5}));        // every other column
    EXPECT_EQ(copied(values, DType::f32, {2, 3}, {0, 1}), (Floats{0, 1, 2, 0, 1, 2}));  // broadcast
    EXPECT_EQ(copied(values, DType::f32, {3}, {-2}, 5), (Floats{5, 3, 1}));             // backwards
    EXPECT_EQ(copied<std::int16_t>({1, 2, 3, 4}, DType::i16, {2, 2}, {1, 2}), (Floats{1, 3, 2, 4}));
    EXPECT_EQ(copied(values, DType::f32, {1, 2, 1, 3, 1}, {6, 3, 3, 1, 1}), values);
}

TEST(CopyToF32, TakesScalarsAndNothing) {
    EXPECT_EQ(copied<double>({2.5}, DType::f64, {}, {}), (Floats{2.5F}));
    EXPECT_EQ(copied<float>({2.5F}, DType::f32, {}, {}), (Floats{2.5F}));
    EXPECT_EQ(copied<float>({}, DType::f32, {0}, {1}), Floats{});
    EXPECT_EQ(copied<std::int8_t>({1, 2}, DType::i8, {2, 0, 3}, {1, 1, 1}), Floats{});
}

TEST(Nhwc, AddressesPixelsThroughPadding) {
    std::vector<float> memory(2 * 2 * 3 * 8);
    TensorView const view = nhwc_view(reinterpret_cast<std::byte*>(memory.data()), {2, 2, 3, 5}, 8);
    EXPECT_EQ(view.strides, (Shape{48, 24, 8, 1}));
    EXPECT_FALSE(view.is_contiguous());
    Nhwc<float> const picture = nhwc(view);
    EXPECT_EQ(picture.pixel(1, 0, 2), memory.data() + 64);
    EXPECT_EQ(picture.pixels(), 12);
    EXPECT_EQ(picture.c, 5);
}

}  // namespace
}  // namespace vitrum
