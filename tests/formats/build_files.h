// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/checkpoint.h"
#include "vitrum/error.h"

/// Builds weights files byte by byte. A pickle's parts are functions that yield opcodes, so that a test reads
/// like the Python that would have written it.
namespace vitrum::make {

using Strings = std::vector<std::string>;
using Files = std::vector<std::pair<std::string, std::string>>;

template <class T>
std::string le(T value) {
    std::string bytes(sizeof value, '\0');
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
}
inline std::string u16(std::uint64_t value) {
    return le(static_cast<std::uint16_t>(value));
}
inline std::string u32(std::uint64_t value) {
    return le(static_cast<std::uint32_t>(value));
}
inline std::string u64(std::uint64_t value) {
    return le(value);
}
inline std::string floats(std::initializer_list<float> values) {
    std::string bytes;
    for (float const value : values) bytes += le(value);
    return bytes;
}
inline std::string join(Strings const& parts) {
    std::string all;
    for (auto const& part : parts) all += part;
    return all;
}

// Pickle expressions.
inline std::string text(std::string_view chars) {
    return "X" + u32(chars.size()) + std::string(chars);
}
inline std::string bytes(std::string_view content) {
    return "B" + u32(content.size()) + std::string(content);
}
inline std::string integer(std::int64_t value) {
    return "\x8A\x08" + le(value);
}
inline std::string real(double value) {
    auto const little = le(value);
    return "G" + std::string(little.rbegin(), little.rend());
}
inline std::string const kNone = "N";
inline std::string const kTrue = "\x88";
inline std::string const kFalse = "\x89";
inline std::string tuple(Strings const& items) {
    return "(" + join(items) + "t";
}
inline std::string list(Strings const& items) {
    return "](" + join(items) + "e";
}
inline std::string dict(Strings const& keys_and_values) {
    return "}(" + join(keys_and_values) + "u";
}
inline std::string global(std::string const& module, std::string const& name) {
    return "c" + module + "\n" + name + "\n";
}
inline std::string call(std::string const& callee, Strings const& arguments) {
    return callee + tuple(arguments) + "R";
}
inline std::string integers(std::initializer_list<std::int64_t> values) {
    Strings items;
    for (auto const value : values) items.push_back(integer(value));
    return tuple(items);
}
inline std::string storage(std::string const& type, std::string_view key, std::int64_t numel) {
    return tuple({text("storage"), global("torch", type), text(key), text("cpu"), integer(numel)}) + "Q";
}
inline std::string tensor(std::string const& in, std::int64_t offset, std::string const& size,
                          std::string const& stride) {
    auto const hooks = call(global("collections", "OrderedDict"), {});
    return call(global("torch._utils", "_rebuild_tensor_v2"), {in, integer(offset), size, stride, kFalse, hooks});
}
inline std::string numpy_dtype(std::string_view code, std::string_view order) {
    auto const state = tuple({integer(3), text(order), kNone, kNone, kNone, integer(-1), integer(-1), integer(0)});
    return call(global("numpy", "dtype"), {text(code), kFalse, kTrue}) + state + "b";
}
inline std::string numpy_array(std::string const& shape, std::string const& dtype, bool fortran,
                               std::string const& data) {
    auto const shell =
        call(global("numpy.core.multiarray", "_reconstruct"), {global("numpy", "ndarray"), integers({0}), bytes("b")});
    return shell + tuple({integer(1), shape, dtype, fortran ? kTrue : kFalse, data}) + "b";
}
inline std::string pickle(std::string const& value) {
    return "\x80\x02" + value + ".";
}

// Files.
struct ZipOptions {
    std::uint16_t method = 0;
    std::uint16_t flags = 0;
    bool zip64 = false;
};
std::string zip(Files const& files, ZipOptions options = {});
/// A checkpoint whose data.pkl holds that value.
std::string torch_zip(std::string const& value, Files const& storages = {}, Files const& others = {});
std::string torch_legacy(std::string const& value, Files const& storages, std::string const& little_endian = kTrue);
inline std::string safetensors(std::string const& json, std::string const& data = {}) {
    return u64(json.size()) + json + data;
}

// Reading.
inline Checkpoint read(std::string const& content) {
    auto const owner = std::make_shared<std::string>(content);
    return read_checkpoint(std::as_bytes(std::span(*owner)), "model.pth", owner);
}
/// The text of the error that reading ends in; checks what every error text owes its reader.
inline std::string error_of(std::string const& content) {
    try {
        static_cast<void>(read(content));
    } catch (Error const& error) {
        std::string const what = error.what();
        EXPECT_TRUE(what.starts_with("model.pth: ")) << what;
        EXPECT_EQ(what.find('\n'), std::string::npos) << what;
        EXPECT_FALSE(what.ends_with(".")) << what;
        return what;
    }
    return "no error";
}
/// The elements of a tensor, row-major.
inline std::vector<float> elements(Checkpoint const& checkpoint, std::string_view name) {
    auto const* const tensor = checkpoint.find(name);
    EXPECT_NE(tensor, nullptr) << name;
    if (tensor == nullptr) return {};
    std::vector<float> values(static_cast<std::size_t>(tensor->view.shape.count()));
    copy_to_f32(tensor->view, values.data());
    return values;
}

}  // namespace vitrum::make

#define EXPECT_CONTAINS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)
