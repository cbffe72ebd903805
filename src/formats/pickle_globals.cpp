// SPDX-License-Identifier: Apache-2.0
#include "pickle_globals.h"

#include <algorithm>
#include <array>

namespace vitrum::pickle {
namespace {

struct Known {
    std::string_view module;
    std::string_view name;
    Callee callee;
};

constexpr Known kKnown[] = {
    {"torch._utils", "_rebuild_tensor", Callee::rebuild_tensor},
    {"torch._utils", "_rebuild_tensor_v2", Callee::rebuild_tensor},
    {"torch._utils", "_rebuild_tensor_v3", Callee::rebuild_tensor_v3},
    {"torch._utils", "_rebuild_parameter", Callee::rebuild_parameter},
    {"torch._utils", "_rebuild_parameter_with_state", Callee::rebuild_parameter},
    {"torch._tensor", "_rebuild_from_type_v2", Callee::rebuild_from_type},
    {"torch._utils", "_rebuild_qtensor", Callee::rebuild_unsupported},
    {"torch._utils", "_rebuild_sparse_tensor", Callee::rebuild_unsupported},
    {"torch._utils", "_rebuild_sparse_csr_tensor", Callee::rebuild_unsupported},
    {"torch._utils", "_rebuild_nested_tensor", Callee::rebuild_unsupported},
    {"torch._utils", "_rebuild_meta_tensor_no_storage", Callee::rebuild_unsupported},
    {"torch.serialization", "_get_layout", Callee::rebuild_unsupported},
    {"torch", "per_tensor_affine", Callee::scalar_type},
    {"torch", "per_channel_affine", Callee::scalar_type},
    {"torch", "Tensor", Callee::tensor_type},
    {"torch.nn.parameter", "Parameter", Callee::tensor_type},
    {"torch.nn.parameter", "Buffer", Callee::tensor_type},
    {"torch", "Size", Callee::torch_size},
    {"torch", "device", Callee::torch_device},
    {"collections", "OrderedDict", Callee::dict},
    {"collections", "Counter", Callee::dict},
    {"collections", "defaultdict", Callee::default_dict},
    {"builtins", "dict", Callee::dict},
    {"builtins", "list", Callee::list},
    {"builtins", "tuple", Callee::tuple},
    {"builtins", "set", Callee::set},
    {"builtins", "frozenset", Callee::set},
    {"builtins", "bytes", Callee::bytes},
    {"builtins", "bytearray", Callee::bytes},
    {"builtins", "int", Callee::scalar_type},
    {"builtins", "float", Callee::scalar_type},
    {"builtins", "str", Callee::scalar_type},
    {"builtins", "bool", Callee::scalar_type},
    {"_codecs", "encode", Callee::codecs_encode},
    {"numpy.core.multiarray", "_reconstruct", Callee::numpy_reconstruct},
    {"numpy.core.multiarray", "scalar", Callee::numpy_scalar},
    {"numpy.core.numeric", "_frombuffer", Callee::numpy_from_buffer},
    {"numpy", "ndarray", Callee::numpy_array_type},
    {"numpy", "dtype", Callee::numpy_dtype},
};

struct Type {
    std::string_view name;
    std::optional<DType> dtype;
};

constexpr Type kStorages[] = {
    {"FloatStorage", DType::f32}, {"DoubleStorage", DType::f64},
    {"HalfStorage", DType::f16},  {"BFloat16Storage", DType::bf16},
    {"CharStorage", DType::i8},   {"ByteStorage", DType::u8},
    {"ShortStorage", DType::i16}, {"IntStorage", DType::i32},
    {"LongStorage", DType::i64},  {"BoolStorage", DType::boolean},
    {"ComplexFloatStorage", {}},  {"ComplexDoubleStorage", {}},
    {"QInt8Storage", {}},         {"QUInt8Storage", {}},
    {"QInt32Storage", {}},        {"QUInt4x2Storage", {}},
    {"QUInt2x4Storage", {}},      {"UntypedStorage", {}},
    {"TypedStorage", {}},
};

constexpr Type kDtypes[] = {
    {"float32", DType::f32},
    {"float", DType::f32},
    {"float64", DType::f64},
    {"double", DType::f64},
    {"float16", DType::f16},
    {"half", DType::f16},
    {"bfloat16", DType::bf16},
    {"int8", DType::i8},
    {"uint8", DType::u8},
    {"int16", DType::i16},
    {"short", DType::i16},
    {"int32", DType::i32},
    {"int", DType::i32},
    {"int64", DType::i64},
    {"long", DType::i64},
    {"bool", DType::boolean},
    {"complex32", {}},
    {"complex64", {}},
    {"complex128", {}},
    {"uint16", {}},
    {"uint32", {}},
    {"uint64", {}},
    {"float8_e4m3fn", {}},
    {"float8_e5m2", {}},
    {"float8_e4m3fnuz", {}},
    {"float8_e5m2fnuz", {}},
    {"float8_e8m0fnu", {}},
    {"float4_e2m1fn_x2", {}},
    {"qint8", {}},
    {"quint8", {}},
    {"qint32", {}},
    {"quint4x2", {}},
    {"quint2x4", {}},
};

constexpr Type kNumpyTypes[] = {
    {"f4", DType::f32}, {"f8", DType::f64}, {"f2", DType::f16}, {"i1", DType::i8},      {"u1", DType::u8},
    {"i2", DType::i16}, {"i4", DType::i32}, {"i8", DType::i64}, {"b1", DType::boolean},
};

template <std::size_t N>
Type const* find(Type const (&types)[N], std::string_view name) {
    auto const* const found = std::ranges::find(types, name, &Type::name);
    return found == std::end(types) ? nullptr : found;
}

/// Modules that were renamed: numpy 2 and Python 2.
std::string_view canonical_module(std::string_view module) {
    if (module == "numpy._core.multiarray") return "numpy.core.multiarray";
    if (module == "numpy._core.numeric") return "numpy.core.numeric";
    if (module == "__builtin__") return "builtins";
    return module;
}

}  // namespace

std::optional<Global> find_global(std::string_view module, std::string_view name) {
    module = canonical_module(module);
    for (auto const& known : kKnown) {
        if (known.name == name && known.module == module) return Global{known.callee, known.name};
    }
    if (module == "torch" || module == "torch.cuda" || module == "torch.storage") {
        if (auto const* const type = find(kStorages, name)) return Global{Callee::storage_type, type->name};
    }
    if (module == "torch") {
        if (auto const* const type = find(kDtypes, name)) return Global{Callee::torch_dtype, type->name};
    }
    return std::nullopt;
}

std::optional<DType> torch_dtype(std::string_view name) {
    if (auto const* const storage = find(kStorages, name)) return storage->dtype;
    auto const* const dtype = find(kDtypes, name);
    return dtype == nullptr ? std::nullopt : dtype->dtype;
}

std::optional<DType> numpy_dtype(std::string_view code) {
    auto const* const type = find(kNumpyTypes, code);
    return type == nullptr ? std::nullopt : type->dtype;
}

}  // namespace vitrum::pickle
