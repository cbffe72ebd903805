// SPDX-License-Identifier: Apache-2.0
#include "base/dtype.h"
#include "pickle_calls.h"
#include "pickle_globals.h"
#include "source.h"

namespace vitrum::pickle {
namespace {

[[noreturn]] void bad_arguments(Global callee, Where const& where) {
    where.damaged("{}() has arguments that make no sense", callee.name);
}

bool is_byte_order(char c) {
    return c == '<' || c == '>' || c == '|' || c == '=';
}

/// dtype("f4", False, True), dtype("<f4").
Value make_dtype(Document& document, Global callee, Arguments arguments, Where const& where) {
    auto const* const code = arguments.empty() ? nullptr : std::get_if<Text>(&arguments[0]);
    if (code == nullptr || code->chars.empty()) bad_arguments(callee, where);
    NumpyDtype dtype{code->chars};
    if (is_byte_order(dtype.code.front())) {
        dtype.byte_order = dtype.code.front();
        dtype.code.remove_prefix(1);
    }
    document.dtypes.push_back(dtype);
    return DtypeRef{static_cast<std::uint32_t>(document.dtypes.size() - 1)};
}

Value new_array(Document& document, NumpyArray const& array) {
    document.arrays.push_back(array);
    return ArrayRef{static_cast<std::uint32_t>(document.arrays.size() - 1)};
}

/// _frombuffer(buffer, dtype, shape, order): how protocol 5 spells an array.
Value from_buffer(Document& document, Global callee, Arguments arguments, Where const& where) {
    if (arguments.size() < 4) bad_arguments(callee, where);
    auto const* const order = std::get_if<Text>(&arguments[3]);
    if (order == nullptr || (order->chars != "C" && order->chars != "F")) bad_arguments(callee, where);
    return new_array(document, {arguments[2], arguments[1], arguments[0], order->chars == "F", where.byte});
}

Value load_scalar(ByteSpan bytes, DType type) {
    switch (type) {
        case DType::f32: return static_cast<double>(load_le<float>(bytes, 0));
        case DType::f64: return load_le<double>(bytes, 0);
        case DType::f16: return static_cast<double>(half_to_float(load_le<std::uint16_t>(bytes, 0)));
        case DType::bf16: return static_cast<double>(bfloat16_to_float(load_le<std::uint16_t>(bytes, 0)));
        case DType::i8: return std::int64_t{load_le<std::int8_t>(bytes, 0)};
        case DType::u8: return std::int64_t{load_le<std::uint8_t>(bytes, 0)};
        case DType::i16: return std::int64_t{load_le<std::int16_t>(bytes, 0)};
        case DType::i32: return std::int64_t{load_le<std::int32_t>(bytes, 0)};
        case DType::i64: return load_le<std::int64_t>(bytes, 0);
        case DType::boolean: return load_le<std::uint8_t>(bytes, 0) != 0;
        case DType::u16: return std::int64_t{load_le<std::uint16_t>(bytes, 0)};
        case DType::u32: return std::int64_t{load_le<std::uint32_t>(bytes, 0)};
        default: break;
    }
    return None{};
}

/// scalar(dtype, bytes): a metric or a counter beside the weights. Of a type that is not read it counts as None.
Value make_scalar(Document const& document, Global callee, Arguments arguments, Where const& where) {
    if (arguments.size() < 2) bad_arguments(callee, where);
    auto const* const ref = std::get_if<DtypeRef>(&arguments[0]);
    auto const bytes = raw_bytes(arguments[1]);
    if (ref == nullptr || !bytes) return None{};
    NumpyDtype const& dtype = document.dtypes[ref->index];
    auto const type = numpy_dtype(dtype.code);
    if (!type || dtype.byte_order == '>') return None{};
    if (bytes->size() != size_of(*type)) bad_arguments(callee, where);
    return load_scalar(as_bytes(*bytes), *type);
}

}  // namespace

Value call_numpy(Document& document, Global callee, Arguments arguments, Where const& where) {
    switch (callee.callee) {
        case Callee::numpy_dtype: return make_dtype(document, callee, arguments, where);
        case Callee::numpy_reconstruct: return new_array(document, {{}, {}, {}, false, where.byte});
        case Callee::numpy_from_buffer: return from_buffer(document, callee, arguments, where);
        default: return make_scalar(document, callee, arguments, where);
    }
}

void set_array_state(NumpyArray& array, Arguments state, Where const& where) {
    // (version, shape, dtype, is_fortran, data); the version is missing in very old files.
    if (state.size() == 5) state = state.subspan(1);
    auto const* const fortran = state.size() == 4 ? std::get_if<bool>(&state[2]) : nullptr;
    bool const fortran_as_number = state.size() == 4 && std::holds_alternative<std::int64_t>(state[2]);
    if (fortran == nullptr && !fortran_as_number) where.damaged("a numpy array has a state that makes no sense");
    bool const is_fortran = fortran != nullptr ? *fortran : std::get<std::int64_t>(state[2]) != 0;
    array = {state[0], state[1], state[3], is_fortran, where.byte};
}

void set_dtype_state(NumpyDtype& dtype, Arguments state, Where const& where) {
    // (version, byte order, ...); the rest describes records, whose type code is not read anyway.
    auto const* const order = state.size() >= 2 ? std::get_if<Text>(&state[1]) : nullptr;
    bool const known = order != nullptr && order->chars.size() == 1 && is_byte_order(order->chars.front());
    if (!known) where.damaged("a numpy dtype has a state that makes no sense");
    dtype.byte_order = order->chars.front();
}

}  // namespace vitrum::pickle
