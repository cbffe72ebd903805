// SPDX-License-Identifier: Apache-2.0
#include "onnx_tensor.h"

#include <array>
#include <bit>
#include <charconv>
#include <functional>

#include "base/check.h"
#include "base/mapped_file.h"
#include "base/narrow.h"
#include "formats/text.h"
#include "tensor_extent.h"

namespace vitrum {
namespace {

namespace fs = std::filesystem;

// Field numbers of TensorProto in onnx.proto.
enum Field : std::uint32_t {
    kDims = 1,
    kDataType = 2,
    kFloatData = 4,
    kInt32Data = 5,
    kStringData = 6,
    kInt64Data = 7,
    kName = 8,
    kRawData = 9,
    kDoubleData = 10,
    kUint64Data = 11,
    kExternalData = 13,
    kDataLocation = 14
};

struct OnnxType {
    std::string_view name;
    std::optional<DType> dtype;
};
// By TensorProto.DataType.
constexpr std::array kOnnxTypes = {OnnxType{"UNDEFINED", {}},
                                   OnnxType{"FLOAT", DType::f32},
                                   OnnxType{"UINT8", DType::u8},
                                   OnnxType{"INT8", DType::i8},
                                   OnnxType{"UINT16", DType::u16},
                                   OnnxType{"INT16", DType::i16},
                                   OnnxType{"INT32", DType::i32},
                                   OnnxType{"INT64", DType::i64},
                                   OnnxType{"STRING", DType::text},
                                   OnnxType{"BOOL", DType::boolean},
                                   OnnxType{"FLOAT16", DType::f16},
                                   OnnxType{"DOUBLE", DType::f64},
                                   OnnxType{"UINT32", DType::u32},
                                   OnnxType{"UINT64", DType::u64},
                                   OnnxType{"COMPLEX64", {}},
                                   OnnxType{"COMPLEX128", {}},
                                   OnnxType{"BFLOAT16", DType::bf16},
                                   OnnxType{"FLOAT8E4M3FN", DType::f8e4m3fn},
                                   OnnxType{"FLOAT8E4M3FNUZ", DType::f8e4m3fnuz},
                                   OnnxType{"FLOAT8E5M2", DType::f8e5m2},
                                   OnnxType{"FLOAT8E5M2FNUZ", DType::f8e5m2fnuz},
                                   OnnxType{"UINT4", DType::u4},
                                   OnnxType{"INT4", DType::i4},
                                   OnnxType{"FLOAT4E2M1", DType::f4e2m1},
                                   OnnxType{"FLOAT8E8M0", DType::f8e8m0},
                                   OnnxType{"UINT2", DType::u2},
                                   OnnxType{"INT2", DType::i2}};

/// The low bytes of integers, which is how int32_data and uint64_data hold smaller ones (and the bits of halves).
std::vector<std::byte> low_bytes(std::vector<std::int64_t> const& values, std::size_t size) {
    static_assert(std::endian::native == std::endian::little);
    std::vector<std::byte> bytes(values.size() * size);
    for (std::size_t i = 0; i < values.size(); ++i) std::memcpy(bytes.data() + i * size, &values[i], size);
    return bytes;
}

/// Strings are compared and nothing else, so that a number stands for each.
std::vector<std::byte> hashes(std::vector<std::string_view> const& texts) {
    std::vector<std::byte> bytes(texts.size() * sizeof(std::uint64_t));
    for (std::size_t i = 0; i < texts.size(); ++i) {
        std::uint64_t const hash = std::hash<std::string_view>()(texts[i]);
        std::memcpy(bytes.data() + i * sizeof hash, &hash, sizeof hash);
    }
    return bytes;
}

/// One number a byte, of which files hold two or four, the first in the low bits.
std::vector<std::byte> unpacked(ByteSpan packed, DType type, std::size_t count) {
    std::size_t const bits = narrow::bits_of(type);
    VITRUM_ASSERT(bits < 8);
    std::vector<std::byte> bytes(count);
    for (std::size_t i = 0; i < count; ++i) {
        unsigned const code = std::to_integer<unsigned>(packed[i * bits / 8]) >> (i * bits % 8) & ((1U << bits) - 1);
        bytes[i] = std::byte{is_floating(type) ? static_cast<std::uint8_t>(code) : integer_to_narrow(type, code)};
    }
    return bytes;
}

}  // namespace

struct OnnxTensorReader::Fields {
    std::string_view name;
    std::vector<std::int64_t> dims;
    std::int64_t type = 0;
    DType dtype = DType::f32;
    std::optional<ByteSpan> raw;
    std::vector<std::byte> floats, doubles;
    std::vector<std::int64_t> int32s, int64s, uint64s;
    std::vector<std::string_view> texts;
    bool is_external = false;
    std::map<std::string_view, std::string_view> external;
};

std::optional<DType> onnx_dtype(std::int64_t code) {
    if (code < 0 || code >= static_cast<std::int64_t>(kOnnxTypes.size())) return std::nullopt;
    return kOnnxTypes[static_cast<std::size_t>(code)].dtype;
}

std::string onnx_dtype_name(std::int64_t code) {
    if (code < 0 || code >= static_cast<std::int64_t>(kOnnxTypes.size())) return fmt::format("type {}", code);
    return std::string(kOnnxTypes[static_cast<std::size_t>(code)].name);
}

OnnxTensorReader::Fields OnnxTensorReader::fields_of(ProtoMessage& message) {
    Fields fields;
    while (message.next()) {
        switch (message.field()) {
            case kDims: message.append(fields.dims); break;
            case kDataType: fields.type = message.integer(); break;
            case kName: fields.name = message.text(); break;
            case kRawData: fields.raw = message.bytes(); break;
            case kFloatData: message.append_fixed<float>(fields.floats); break;
            case kDoubleData: message.append_fixed<double>(fields.doubles); break;
            case kInt32Data: message.append(fields.int32s); break;
            case kInt64Data: message.append(fields.int64s); break;
            case kUint64Data: message.append(fields.uint64s); break;
            case kStringData: fields.texts.push_back(message.text()); break;
            case kDataLocation: fields.is_external = message.integer() == 1; break;
            case kExternalData: {
                std::string_view key, value;
                for (ProtoMessage entry = message.message(); entry.next();) {
                    if (entry.field() == 1) key = entry.text();
                    else if (entry.field() == 2) value = entry.text();
                    else entry.skip();
                }
                fields.external[key] = value;
                break;
            }
            default: message.skip();
        }
    }
    return fields;
}

OnnxTensor OnnxTensorReader::read(ProtoMessage message) {
    Fields fields = fields_of(message);
    auto const label = [&] { return fmt::format("tensor \"{}\"", excerpt(fields.name)); };
    auto const dtype = onnx_dtype(fields.type);
    if (!dtype) message.refuse("{} holds {}, which is not read", label(), onnx_dtype_name(fields.type));
    fields.dtype = *dtype;
    if (fields.dims.size() > Shape::kMaxRank) {
        message.refuse("{} has {} dimensions; at most {} are read", label(), fields.dims.size(), Shape::kMaxRank);
    }
    Shape const shape{std::span<std::int64_t const>(fields.dims)};
    auto const count = sane_count(shape);
    std::uint64_t needed = 0;
    if (!count || __builtin_mul_overflow(static_cast<std::uint64_t>(*count), size_of(*dtype), &needed)) {
        message.refuse("{} has impossible extents {}", label(), shape.str());
    }
    bool const is_packed = narrow::bits_of(*dtype) < 8;
    if (is_packed) needed = needed / 8 * narrow::bits_of(*dtype) + (needed % 8 * narrow::bits_of(*dtype) + 7) / 8;
    ByteSpan const bytes = stored(message, fields, needed);
    if (bytes.size() != needed) {
        message.refuse("{} of shape {} and type {} needs {} bytes, but {} are there; export the model again", label(),
                       shape.str(), name_of(*dtype), needed, bytes.size());
    }
    return {fields.name, *dtype, shape,
            is_packed ? keep(unpacked(bytes, *dtype, static_cast<std::size_t>(*count))) : bytes};
}

ByteSpan OnnxTensorReader::stored(ProtoMessage const& message, Fields const& fields, std::uint64_t needed) {
    if (fields.is_external) return external(message, fields, needed);
    if (fields.raw) return *fields.raw;
    return converted(message, fields);
}

ByteSpan OnnxTensorReader::converted(ProtoMessage const&, Fields const& fields) {
    switch (fields.dtype) {
        case DType::f32: return keep(fields.floats);
        case DType::f64: return keep(fields.doubles);
        case DType::i64: return keep(low_bytes(fields.int64s, 8));
        case DType::u32: return keep(low_bytes(fields.uint64s, 4));
        case DType::u64: return keep(low_bytes(fields.uint64s, 8));
        case DType::text: return keep(hashes(fields.texts));
        default: return keep(low_bytes(fields.int32s, size_of(fields.dtype)));
    }
}

ByteSpan OnnxTensorReader::keep(std::vector<std::byte> bytes) {
    auto const owner = std::make_shared<std::vector<std::byte> const>(std::move(bytes));
    storage_.push_back(owner);
    return *owner;
}

ByteSpan OnnxTensorReader::external(ProtoMessage const& message, Fields const& fields, std::uint64_t needed) {
    auto const number = [&](std::string_view key, std::uint64_t otherwise) {
        auto const found = fields.external.find(key);
        if (found == fields.external.end()) return otherwise;
        std::string_view const digits = found->second;
        std::uint64_t value = 0;
        auto const [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (error != std::errc() || end != digits.data() + digits.size() || digits.empty()) {
            message.refuse("tensor \"{}\": its external {} is \"{}\", no number", excerpt(fields.name), key,
                           excerpt(digits));
        }
        return value;
    };
    auto const location = fields.external.find("location");
    if (location == fields.external.end()) {
        message.refuse("tensor \"{}\" is in another file that is not named", excerpt(fields.name));
    }
    auto const offset = number("offset", 0);
    auto const length = number("length", needed);
    ByteSpan const bytes = file(message, location->second);
    if (!lies_inside(offset, length, bytes.size())) {
        message.refuse("tensor \"{}\": bytes {} to {} of \"{}\" are not there: it has {}", excerpt(fields.name), offset,
                       offset + length, excerpt(location->second), bytes.size());
    }
    return bytes.subspan(offset, length);
}

/// Maps a file in the model's own folder. A name that leads out of it, also by a link, is refused: a model from a
/// stranger could read any file.
ByteSpan OnnxTensorReader::file(ProtoMessage const& message, std::string_view location) {
    if (auto const known = files_.find(location); known != files_.end()) return known->second;
    fs::path const relative(location);
    if (folder_.empty()) message.refuse("its tensors are in another file, \"{}\"", excerpt(location));
    std::error_code error;
    fs::path const folder = fs::canonical(folder_, error);
    fs::path const target = fs::canonical(folder_ / relative, error);
    if (error) message.refuse("the file \"{}\" of its tensors is missing beside it", excerpt(location));
    auto const inside = target.lexically_relative(folder);
    bool const leaves = relative.is_absolute() || inside.empty() || *inside.begin() == "..";
    if (leaves || location.find('\0') != std::string_view::npos) {
        message.refuse("its tensors are said to be in \"{}\", outside of the model's folder; put the file beside it",
                       excerpt(location));
    }
    auto const mapped = std::make_shared<MappedFile const>(target);
    storage_.push_back(mapped);
    return files_.emplace(location, mapped->bytes()).first->second;
}

}  // namespace vitrum
