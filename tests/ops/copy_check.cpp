// SPDX-License-Identifier: Apache-2.0
#include "copy_check.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "rounding.h"

namespace vitrum::test {
namespace {

enum class Order { packed, planes, padded, turned, apart };

/// Strides of [N, H, W, C].
Shape strides_of(Order order, Shape const& s) {
    std::int64_t const h = s[1], w = s[2], c = s[3];
    switch (order) {
        case Order::packed: break;
        case Order::planes: return {c * h * w, w, 1, h * w};
        case Order::padded: return {h * (w * (c + 3) + 5), w * (c + 3) + 5, c + 3, 1};
        case Order::turned: return {c * h * w, 1, h, h * w};
        case Order::apart: return {2 * c * h * w, 2 * w, 2, 2 * h * w};
    }
    return s.contiguous_strides();
}

struct Stored {
    Stored(DType dtype, Shape const& shape, Order order) : view{nullptr, dtype, shape, strides_of(order, shape)} {
        std::int64_t last = 0;
        for (int d = 0; d < 4; ++d) last += (shape[d] - 1) * view.strides[d];
        memory.assign(static_cast<std::size_t>(last + 1) * size_of(dtype), std::byte{0xA5});
        view.data = memory.data();
    }
    [[nodiscard]] std::byte* at(std::int64_t element) const {
        std::int64_t offset = 0;
        for (int d = 4; d-- > 0; element /= view.shape[d]) offset += element % view.shape[d] * view.strides[d];
        return view.data + offset * static_cast<std::int64_t>(size_of(view.dtype));
    }
    void store(std::int64_t element, double value) const {
        auto const as = [&]<class T>(T stored) { std::memcpy(at(element), &stored, sizeof(T)); };
        switch (view.dtype) {
            case DType::f64: return as(value);
            case DType::f16: return as(cuda::half_bits(static_cast<float>(value)));
            case DType::bf16: return as(cuda::bfloat16_bits(static_cast<float>(value)));
            default: return as(static_cast<float>(value));
        }
    }
    [[nodiscard]] double load(std::int64_t element) const {
        auto const as = [&]<class T>(T stored) {
            std::memcpy(&stored, at(element), sizeof(T));
            return stored;
        };
        switch (view.dtype) {
            case DType::f64: return as(double{});
            case DType::f16: return half_to_float(as(std::uint16_t{}));
            case DType::bf16: return bfloat16_to_float(as(std::uint16_t{}));
            default: return as(float{});
        }
    }

    std::vector<std::byte> memory;
    TensorView view;
};

struct Types {
    DType to, from;
};
constexpr std::array kTypes{Types{DType::f32, DType::f32},   Types{DType::f32, DType::f16},
                            Types{DType::f32, DType::bf16},  Types{DType::f32, DType::f64},
                            Types{DType::f16, DType::f32},   Types{DType::bf16, DType::f32},
                            Types{DType::f64, DType::f32},   Types{DType::f16, DType::f16},
                            Types{DType::bf16, DType::bf16}, Types{DType::f64, DType::f64}};
constexpr std::array kOrders{Order::packed, Order::planes, Order::padded, Order::turned, Order::apart};

/// Normal and subnormal numbers of every type.
double number(std::mt19937& random) {
    double const exponent = std::uniform_real_distribution<double>(-24, 15)(random);
    return (random() % 2 == 0 ? 1 : -1) * std::exp2(exponent);
}

void check(Copier const& copy, Shape const& shape, Types types, Order to_order, Order from_order) {
    SCOPED_TRACE(fmt::format("{} {} {} to {} {}", shape.str(), name_of(types.from), static_cast<int>(from_order),
                             name_of(types.to), static_cast<int>(to_order)));
    std::mt19937 random(static_cast<unsigned>(shape.count()));
    Stored from(types.from, shape, from_order), to(types.to, shape, to_order), expected(types.to, shape, to_order);
    for (std::int64_t i = 0; i < shape.count(); ++i) {
        from.store(i, number(random));
        expected.store(i, from.load(i));
    }
    EXPECT_EQ(copy(to.view, to.memory, from.view, from.memory), 0U);
    EXPECT_TRUE(to.memory == expected.memory);
}

/// A copy of bytes on the device.
Block uploaded(Memory& memory, std::span<std::byte const> bytes) {
    Block const block = memory.allocate(bytes.size());
    memory.upload(block.data(), bytes.data(), bytes.size());
    return block;
}

std::uint32_t copied(Memory& memory, Queue& queue, TensorView to, std::span<std::byte> to_memory, TensorView from,
                     std::span<std::byte const> from_memory) {
    std::uint32_t faults = 0;
    auto const word = std::as_writable_bytes(std::span(&faults, 1));
    Block const source = uploaded(memory, from_memory), target = uploaded(memory, to_memory);
    Block const noted = uploaded(memory, word);
    to.data = target.data();
    from.data = source.data();
    queue.enter();
    queue.copy(to, from, reinterpret_cast<std::uint32_t*>(noted.data()));
    queue.download(to_memory.data(), target.data(), to_memory.size());
    queue.download(word.data(), noted.data(), word.size());
    queue.wait();
    return faults;
}

}  // namespace

Copier copier_of(Memory& memory) {
    return [&memory, queue = std::shared_ptr<Queue>(memory.make_queue())](
               TensorView const& to, std::span<std::byte> to_memory, TensorView const& from,
               std::span<std::byte const> from_memory) {
        return copied(memory, *queue, to, to_memory, from, from_memory);
    };
}

void check_copies(Copier const& copy) {
    Shape const shapes[] = {{1, 1, 1, 1},   {1, 5, 7, 3},   {2, 3, 70, 4},    {1, 2, 65, 5},   {3, 4, 9, 31},
                            {1, 3, 64, 32}, {2, 1, 33, 33}, {1, 2, 130, 100}, {1, 1, 1500, 1}, {1, 3, 600, 3}};
    for (Shape const& shape : shapes) {
        for (Order const to : kOrders) {
            for (Order const from : kOrders) check(copy, shape, kTypes[0], to, from);
        }
        for (Types const types : kTypes) {
            check(copy, shape, types, Order::packed, Order::planes);
            check(copy, shape, types, Order::planes, Order::packed);
        }
    }
}

void check_noted_faults(Copier const& copy) {
    Shape const shape{1, 3, 70, 5};
    auto const noted = [&](DType to_type, double value) {
        Stored from(DType::f32, shape, Order::packed), to(to_type, shape, Order::planes);
        for (std::int64_t i = 0; i < shape.count(); ++i) from.store(i, i == shape.count() - 2 ? value : 1);
        return copy(to.view, to.memory, from.view, from.memory);
    };
    constexpr double kInfinite = std::numeric_limits<double>::infinity();
    for (DType const type : {DType::f32, DType::f16, DType::bf16, DType::f64}) {
        EXPECT_EQ(noted(type, 1), 0U);
        EXPECT_EQ(noted(type, -kInfinite), kNotFinite);
        EXPECT_EQ(noted(type, std::nan("")), kNotFinite);
        EXPECT_EQ(noted(type, 1e5), type == DType::f16 ? kOutOfRange : 0U);
    }
    EXPECT_EQ(noted(DType::f16, 65519), 0U);
    EXPECT_EQ(noted(DType::bf16, 3.4e38), kOutOfRange);
}

}  // namespace vitrum::test
