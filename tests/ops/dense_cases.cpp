// SPDX-License-Identifier: Apache-2.0
#include "dense_cases.h"

#include <cmath>

namespace vitrum::test {
namespace {

using namespace dense;
using Inputs = std::vector<CaseInput>;

CaseInput f32(Shape const& shape, double deviation = 1) {
    return {.shape = shape, .role = Role::dense, .deviation = deviation};
}
CaseInput of(DType dtype, Shape const& shape, double deviation = 5) {
    return {.shape = shape, .role = Role::dense, .deviation = deviation, .dtype = dtype};
}
CaseInput indices(Shape const& shape, std::int64_t below) {
    return {.shape = shape, .role = Role::dense, .dtype = DType::i64, .below = below};
}
/// Filter taps whose sum keeps the deviation.
CaseInput taps(Shape const& shape, double fan_in) {
    return f32(shape, 1 / std::sqrt(fan_in));
}

OpCase make(std::string_view name, dense::Op const& op, Inputs inputs, double reduction = 1, double amplification = 1) {
    Dense const dense_op{op};
    return {.name = std::string(dense_op.name()) + "_" + std::string(name),
            .op = dense_op,
            .inputs = std::move(inputs),
            .reduction = reduction,
            .amplification = amplification};
}

std::vector<OpCase> elementwise_cases() {
    using U = UnaryFunction;
    using B = BinaryFunction;
    return {
        make("gelu", Unary{U::gelu}, {f32({2, 3, 5, 7})}),
        make("gelu_of_many", Unary{U::gelu}, {f32({3, 7001}, 3)}),
        make("sigmoid", Unary{U::sigmoid}, {f32({3, 5, 37}, 8)}),
        make("swish", Unary{U::swish, 1}, {f32({2, 77}, 4)}),
        make("exp_of_many", Unary{U::exponential}, {f32({3, 1021})}),
        make("sigmoid_of_none", Unary{U::sigmoid}, {f32({0, 4})}),
        make("tanh_of_one", Unary{U::tanh}, {f32({})}),
        make("bias", Binary{B::add}, {f32({2, 5, 4, 3}), f32({5, 1, 1})}),
        make("outer", Binary{B::multiply}, {f32({7, 1, 3}), f32({1, 5, 1})}),
        make("same", Binary{B::subtract}, {f32({2, 3000}), f32({2, 3000})}),
        make("integers", Binary{B::divide}, {of(DType::i64, {4, 9}, 50), of(DType::i64, {9}, 3)}),
        make("compared", Binary{B::less}, {f32({3, 4, 5}), f32({})}),
        make("picks", Where{}, {of(DType::boolean, {4, 1, 6}), f32({5, 6}), f32({4, 5, 1})}),
        make("to_integers", Cast{DType::i32}, {f32({3, 7, 11}, 30)}),
        make("from_integers", Cast{DType::f32}, {of(DType::i64, {3, 7, 11}, 30)}),
        make("to_float8", Cast{DType::f8e4m3fn}, {f32({3, 7, 111}, 200)}),
        make("to_float8_unsaturated", Cast{DType::f8e5m2fnuz, {.saturates = false}}, {f32({5, 200}, 12000)}),
        make("to_powers", Cast{DType::f8e8m0, {.powers = Narrowing::Powers::nearest}}, {f32({1100}, 3)}),
        make("to_float4", Cast{DType::f4e2m1}, {f32({7, 31}, 3)}),
        make("to_int4", Cast{DType::i4}, {of(DType::i64, {7, 31}, 9)}),
        make("from_float8", Cast{DType::f32}, {of(DType::f8e5m2, {3, 7, 11}, 30)}),
        make("from_int4", Cast{DType::f32}, {of(DType::i4, {3, 7, 11})}),
    };
}

CaseInput scales(Shape const& shape) {
    return {.shape = shape, .role = Role::dense, .mean = 0.1, .deviation = 0.02};
}

std::vector<OpCase> quantise_cases() {
    return {
        make("whole", QuantizeLinear{}, {f32({3, 5, 411}, 8), scales({}), of(DType::u8, {}, 60)}),
        make("channels", QuantizeLinear{}, {f32({2, 7, 5, 6}, 8), scales({7, 1, 1}), of(DType::i8, {7, 1, 1}, 20)}),
        make("each", QuantizeLinear{}, {f32({5, 13}, 200), scales({5, 13}), of(DType::i16, {5, 13}, 900)}),
        make("wide", QuantizeLinear{}, {f32({3, 700}, 3000), scales({3, 1}), of(DType::u16, {3, 1}, 9000)}),
        make("integers", QuantizeLinear{}, {of(DType::i32, {3, 70}, 90), scales({70}), of(DType::i8, {70}, 20)}),
        make("to_int4", QuantizeLinear{}, {f32({7, 30}, 0.5), scales({}), of(DType::i4, {}, 3)}),
        make("ties", QuantizeLinear{},
             {of(DType::i32, {9, 99}, 90),
              {.shape = {}, .role = Role::dense, .mean = 2, .deviation = 0},
              of(DType::u4, {}, 2)}),
        make("to_float8", QuantizeLinear{}, {f32({3, 111}, 20), scales({111}), of(DType::f8e4m3fn, {111}, 3)}),
        make("to_float8_unsaturated", QuantizeLinear{false}, {f32({5, 99}, 900), scales({}), of(DType::f8e5m2, {}, 3)}),
        make("of_none", QuantizeLinear{}, {f32({0, 4}), scales({4}), of(DType::i8, {4})}),
        make("whole", DequantizeLinear{}, {of(DType::u8, {3, 5, 411}, 60), scales({}), of(DType::u8, {}, 60)}),
        make("channels", DequantizeLinear{},
             {of(DType::i8, {7, 3, 5}, 60), scales({7, 1, 1}), of(DType::i8, {7, 1, 1})}),
        make("sums", DequantizeLinear{}, {of(DType::i32, {3, 70}, 1e8), scales({70}), of(DType::i32, {70}, 1e8)}),
        make("int4", DequantizeLinear{}, {of(DType::i4, {5, 13}), scales({5, 13}), of(DType::i4, {5, 13}, 2)}),
        make("float8", DequantizeLinear{}, {of(DType::f8e4m3fn, {5, 13}, 20), scales({13}), of(DType::f8e4m3fn, {13})}),
        make("to_halves", DequantizeLinear{DType::f16},
             {of(DType::i16, {7, 30}, 900), scales({}), of(DType::i16, {}, 900)}),
    };
}

std::vector<OpCase> reduce_cases() {
    using R = ReduceFunction;
    return {
        make("rows", Reduce{R::sum, 0b100}, {f32({3, 4, 1500})}, 1500),
        make("channels", Reduce{R::mean, 0b0010}, {f32({2, 31, 5, 6})}, 31),
        make("all", Reduce{R::sum_square, 0b111}, {f32({4, 5, 6})}, 120),
        make("outer_and_inner", Reduce{R::maximum, 0b101}, {f32({4, 5, 6})}),
        make("of_none", Reduce{R::sum, 0b10}, {f32({3, 0, 2})}),
        make("integers", Reduce{R::product, 0b01}, {of(DType::i32, {3, 5}, 3)}),
        make("largest", ArgReduce{1}, {f32({3, 17, 4})}),
        make("smallest_last", ArgReduce{2, true, true}, {of(DType::i64, {3, 4, 17}, 3)}),
        make("sums", Cumulate{1}, {f32({3, 40, 5})}, 40),
        make("reverse_exclusive", Cumulate{0, false, true, true}, {f32({9, 4})}, 9),
        make("rows", Softmax{2}, {f32({3, 5, 49}, 3)}, 49, 3),
        make("long_rows", Softmax{1}, {f32({2, 300}, 3)}, 300, 3),
        make("rows_of_one", Softmax{1}, {f32({5, 1}, 3)}),
        make("many_short_rows", Softmax{2}, {f32({40, 60, 7}, 3)}, 7, 3),
        make("far_apart", Softmax{1}, {f32({9, 64}, 60)}, 64, 60),
        make("channels_log", Softmax{1, true}, {f32({2, 19, 7}, 3)}, 19, 3),
        make("tokens", Normalise{2}, {f32({2, 9, 60})}, 60),
        make("planes_rms", Normalise{2, 1e-6F, true}, {f32({2, 3, 8, 5})}, 40),
        make("of_rows", TopK{1, 5}, {f32({4, 33})}),
        make("smallest_of_columns", TopK{0, 2, false}, {of(DType::i64, {7, 3})}),
    };
}

std::vector<OpCase> move_cases() {
    return {
        make("transposed", Restride{{5, 2, 3}, {1, 15, 5}, 0}, {f32({2, 3, 5})}),
        make("every_third_backwards", Restride{{4, 7}, {21, -3}, 18}, {f32({4, 21})}),
        make("reshaped", Restride{{6, 5}, {5, 1}, 0}, {f32({2, 3, 5})}),
        make("repeated", Restride{{3, 4, 2000}, {0, 1, 0}, 0}, {f32({4})}),
        make("bytes", Restride{{3, 2}, {1, 3}, 0}, {of(DType::boolean, {2, 3})}),
        make("constant", Pad{PadMode::constant, {0, 1, 2}, {1, 0, 3}}, {f32({2, 3, 4}), f32({})}),
        make("reflect_far", Pad{PadMode::reflect, {0, 7}, {0, 9}}, {f32({3, 4}), f32({})}),
        make("edge", Pad{PadMode::edge, {2, 0}, {1, 5}}, {f32({3, 4}), f32({})}),
        make("wrap", Pad{PadMode::wrap, {2}, {3}}, {of(DType::i64, {4}), of(DType::i64, {})}),
        make("three", Concat{1}, {f32({2, 3, 5}), f32({2, 0, 5}), f32({2, 4, 5})}),
        make("rows", Gather{IndexMode::axis, 1}, {f32({3, 7, 4}), indices({2, 5}, 7)}),
        make("elements", Gather{IndexMode::elements, 1}, {f32({3, 7}), indices({2, 5}, 7)}),
        make("tuples", Gather{IndexMode::tuples, 1}, {f32({2, 3, 3, 5}), indices({2, 6, 2}, 3)}),
        make("added", Scatter{IndexMode::elements, 0, Combine::add}, {f32({4, 6}), indices({9, 6}, 4), f32({9, 6})}, 9),
        make("rows", Scatter{IndexMode::tuples}, {f32({6, 5}), indices({1, 1}, 6), f32({1, 5})}),
    };
}

std::vector<OpCase> product_cases() {
    return {
        make("plain", MatMul{}, {f32({13, 60}), taps({60, 70}, 60)}, 60),
        make("wide", MatMul{}, {f32({3, 4}), taps({4, 333}, 4)}, 4),
        make("batches", MatMul{}, {f32({2, 1, 5, 30}), taps({3, 30, 9}, 30)}, 30),
        make("long", MatMul{}, {f32({5, 1000}), taps({1000, 17}, 1000)}, 1000),
        make("one", MatMul{}, {f32({1, 1}), f32({1, 1})}),
        make("no_depth", MatMul{}, {f32({3, 0}), f32({0, 4})}),
        make("groups", Convolution{2, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
             {f32({2, 6, 7, 9}), taps({8, 3, 3, 3}, 27), f32({8})}, 27),
        make("dilated_strided", Convolution{1, {2, 3}, {2, 1}, {1, 0}, {2, 1}},
             {f32({1, 4, 11, 80}), taps({5, 4, 3, 2}, 24), f32({5})}, 24),
        make("line", Convolution{1, {1}, {1}, {2}, {0}}, {f32({2, 3, 70}), taps({4, 3, 3}, 9), f32({4})}, 9),
        make("volume", Convolution{1, {1, 2, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
             {f32({1, 2, 3, 5, 6}), taps({3, 2, 2, 3, 3}, 36), f32({3})}, 36),
        make("upsampling", TransposedConvolution{1, {2, 2}, {1, 1}, {1, 1}, {9, 11}},
             {f32({2, 4, 5, 6}), taps({4, 3, 3, 3}, 16), f32({3})}, 16),
        make("groups_dilated", TransposedConvolution{2, {1, 3}, {2, 1}, {0, 0}, {7, 17}},
             {f32({1, 4, 3, 5}), taps({4, 2, 3, 4}, 24), f32({4})}, 24),
        make("maximum", Pool{PoolFunction::maximum, {3, 2}, {2, 2}, {1, 1}, {1, 0}, {1, 0}, {4, 4}},
             {f32({2, 3, 7, 8})}),
        make("places", Pool{PoolFunction::maximum_place, {3, 2}, {2, 1}, {1, 2}, {1, 1}, {1, 0}, {4, 7}},
             {of(DType::f32, {2, 3, 7, 8}, 2)}),
        make("average_padded", Pool{PoolFunction::average_padded, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {5, 6}},
             {f32({1, 2, 5, 6})}, 9),
        make("average_line", Pool{PoolFunction::average, {4}, {3}, {1}, {1}, {2}, {4}}, {f32({2, 2, 10})}, 4),
        make("norm", Pool{PoolFunction::norm, {2, 2}, {1, 1}, {1, 1}, {0, 0}, {0, 0}, {4, 4}, 3}, {f32({1, 2, 5, 5})},
             4),
    };
}

std::vector<OpCase> sample_cases() {
    return {
        make("columns", Taps{3}, {f32({2, 3, 4, 5}), indices({9, 4}, 5), taps({9, 4}, 4)}, 4),
        make("rows", Taps{1}, {f32({2, 6, 70}), indices({3, 2}, 6), taps({3, 2}, 2)}, 2),
        make("linear", GridSample{}, {f32({2, 3, 7, 6}), f32({2, 4, 5, 2}, 0.8)}, 4),
        make("cubic_reflected", GridSample{SampleMode::cubic, SampleBorder::reflection, true},
             {f32({1, 2, 5, 6}), f32({1, 3, 7, 2}, 0.8)}, 16),
        make("nearest_border", GridSample{SampleMode::nearest, SampleBorder::border, false},
             {f32({1, 2, 5, 6}), f32({1, 3, 7, 2}, 0.8)}),
        make("volume", GridSample{}, {f32({2, 3, 4, 7, 6}), f32({2, 2, 4, 5, 3}, 0.8)}, 8),
        make("volume_cubic", GridSample{SampleMode::cubic, SampleBorder::border, true},
             {f32({1, 2, 5, 4, 6}), f32({1, 3, 2, 7, 3}, 0.8)}, 64),
        make("line", GridSample{SampleMode::linear, SampleBorder::reflection, false},
             {f32({2, 3, 9}), f32({2, 14, 1}, 0.8)}, 2),
    };
}

}  // namespace

std::vector<OpCase> dense_cases() {
    std::vector<OpCase> all{
        {.name = "ToPixels_odd", .op = ToPixels{}, .inputs = {f32({2, 7, 5, 9})}},
        {.name = "ToDense_odd", .op = ToDense{}, .inputs = {{.shape = {2, 5, 9, 7}}}},
    };
    for (auto const& part :
         {elementwise_cases(), quantise_cases(), reduce_cases(), move_cases(), product_cases(), sample_cases()}) {
        all.insert(all.end(), part.begin(), part.end());
    }
    return all;
}

}  // namespace vitrum::test
