// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/check.h"

/// What a pickle can build here. Values are small and point into the tables of a Document by index, so that
/// containers may contain themselves and nothing is ever destroyed recursively.
namespace vitrum::pickle {

/// A place in a pickle, for error texts.
struct Where {
    std::string_view file;
    std::size_t byte = 0;

    template <class... Args>
    [[noreturn]] void damaged(fmt::format_string<Args...> what, Args&&... args) const {
        vitrum::fail("{}: damaged checkpoint: {} (pickle byte {}); download or copy the file again", file,
                     fmt::format(what, std::forward<Args>(args)...), byte);
    }
    template <class... Args>
    [[noreturn]] void refuse(fmt::format_string<Args...> what, Args&&... args) const {
        vitrum::fail(
            "{}: refuses to {} (pickle byte {}): a checkpoint may hold tensors and plain containers only; "
            "re-save it with torch.save(model.state_dict(), ...)",
            file, fmt::format(what, std::forward<Args>(args)...), byte);
    }
};

/// Every global that a pickle may name. Naming anything else ends the reading.
enum class Callee : std::uint8_t {
    rebuild_tensor,       ///< torch._utils._rebuild_tensor, _rebuild_tensor_v2
    rebuild_tensor_v3,    ///< carries a dtype, for storages that have none
    rebuild_parameter,    ///< also _rebuild_parameter_with_state
    rebuild_from_type,    ///< calls one of the above for Parameter and Tensor
    rebuild_unsupported,  ///< quantised, sparse, nested: known to be data, but not ours to read
    tensor_type,          ///< torch.Tensor, torch.nn.parameter.Parameter
    storage_type,         ///< torch.FloatStorage and so on
    torch_dtype,          ///< torch.float32 and so on
    torch_size,
    torch_device,
    dict,  ///< dict, OrderedDict, Counter
    default_dict,
    list,
    tuple,
    set,            ///< and frozenset
    bytes,          ///< and bytearray
    scalar_type,    ///< int, float, str, bool: and other constants: named, never called
    codecs_encode,  ///< how protocol 2 spells bytes
    numpy_reconstruct,
    numpy_from_buffer,
    numpy_scalar,
    numpy_array_type,
    numpy_dtype,
};

struct None {};
struct Text {
    std::string_view chars;
    bool python2 = false;  ///< a Python 2 str, which may be text or bytes
};
struct Bytes {
    std::string_view content;
};
struct BigInteger {
    std::string_view little_endian;  ///< two's complement
};
struct ContainerRef {
    std::uint32_t index;
};
struct Global {
    Callee callee;
    std::string_view name;
};
struct StorageRef {
    std::uint32_t index;
};
struct TensorRef {
    std::uint32_t index;
};
struct DtypeRef {
    std::uint32_t index;
};
struct ArrayRef {
    std::uint32_t index;
};
/// Data of a sort that is not read: an error where it is reached, since only there its key is known.
struct Unsupported {
    std::string_view what;
    std::size_t pickle_byte = 0;
};

using Value = std::variant<None, bool, std::int64_t, double, Text, Bytes, BigInteger, ContainerRef, Global, StorageRef,
                           TensorRef, DtypeRef, ArrayRef, Unsupported>;

enum class ContainerKind : std::uint8_t { tuple, list, dict, set };

struct Container {
    ContainerKind kind;
    std::vector<Value> items;  ///< of a dict: key, value, key, value
};

/// A slice of another storage, in elements (PyTorch before 1.6 shared memory this way).
struct StorageSlice {
    std::int64_t offset = 0;
    std::int64_t numel = 0;
};

/// A persistent id: the name of bytes outside the pickle.
struct Storage {
    std::string_view type;  ///< "FloatStorage"
    std::string_view key;
    std::int64_t numel = 0;
    std::optional<StorageSlice> slice;
};

/// Arguments of a rebuild function; checked against the storage when the tensor gets its name.
struct Tensor {
    StorageRef storage;
    Value offset;
    Value size;
    Value stride;
    std::string_view dtype;  ///< "float32" where the storage is untyped, else empty
    std::size_t pickle_byte = 0;
};

struct NumpyDtype {
    std::string_view code;  ///< "f4"
    char byte_order = '<';
};

struct NumpyArray {
    Value shape;
    Value dtype;
    Value data;
    bool fortran = false;
    std::size_t pickle_byte = 0;
};

/// A pickle that has been read.
struct Document {
    Value root;
    std::size_t end = 0;  ///< offset behind the STOP opcode
    std::deque<Container> containers;
    std::vector<Storage> storages;
    std::vector<Tensor> tensors;
    std::vector<NumpyDtype> dtypes;
    std::vector<NumpyArray> arrays;
    /// Text and bytes that do not lie in the file as they are.
    std::shared_ptr<std::deque<std::string>> decoded = std::make_shared<std::deque<std::string>>();

    [[nodiscard]] Container const* container(Value const& value) const {
        auto const* const ref = std::get_if<ContainerRef>(&value);
        return ref == nullptr ? nullptr : &containers[ref->index];
    }
    /// The container where the value is one of that kind, else null.
    [[nodiscard]] Container const* container(Value const& value, ContainerKind kind) const {
        auto const* const found = container(value);
        return found != nullptr && found->kind == kind ? found : nullptr;
    }
    std::string_view keep(std::string text) const { return decoded->emplace_back(std::move(text)); }
};

}  // namespace vitrum::pickle
