// SPDX-License-Identifier: Apache-2.0
#include "safetensors.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "formats/text.h"
#include "safetensors_header.h"
#include "tensor_extent.h"

namespace vitrum {
namespace {

constexpr std::uint64_t kLengthSize = 8;
constexpr std::uint64_t kLongestHeader = 100'000'000;  // the format's own limit

struct TypeName {
    std::string_view name;
    DType dtype;
};

constexpr TypeName kTypes[] = {{"F64", DType::f64}, {"F32", DType::f32},     {"F16", DType::f16}, {"BF16", DType::bf16},
                               {"I64", DType::i64}, {"I32", DType::i32},     {"I16", DType::i16}, {"I8", DType::i8},
                               {"U8", DType::u8},   {"BOOL", DType::boolean}};

class SafetensorsReader {
public:
    explicit SafetensorsReader(Source const& source) : source_(source) {}

    Checkpoint read();

private:
    template <class... Args>
    [[noreturn]] void bad_tensor(std::string_view name, fmt::format_string<Args...> what, Args&&... args) const {
        fail("{}: tensor \"{}\" {}", source_.name, excerpt(name), fmt::format(what, std::forward<Args>(args)...));
    }
    std::string_view header_text();
    CheckpointTensor tensor(SafetensorsEntry const& entry) const;
    void check_ranges(std::vector<SafetensorsEntry> const& entries) const;

    Source const& source_;
    std::uint64_t data_begin_ = 0;
};

std::string_view SafetensorsReader::header_text() {
    auto const size = source_.bytes.size();
    auto const length = size < kLengthSize ? 0 : load_le<std::uint64_t>(source_.bytes, 0);
    if (length > kLongestHeader) {
        fail(
            "{}: damaged safetensors file: a header of {} bytes (byte 0), more than the format allows; download or "
            "copy it again",
            source_.name, length);
    }
    if (!lies_inside(kLengthSize, length, size)) {
        fail(
            "{}: damaged safetensors file: its header of {} bytes (byte 0) leaves the file of {} bytes; download or "
            "copy it again",
            source_.name, length, size);
    }
    data_begin_ = kLengthSize + length;
    return as_text(source_.bytes.subspan(kLengthSize, static_cast<std::size_t>(length)));
}

CheckpointTensor SafetensorsReader::tensor(SafetensorsEntry const& entry) const {
    auto const data = source_.bytes.subspan(static_cast<std::size_t>(data_begin_));
    if (!entry.has_dtype || !entry.has_shape || entry.offsets.size() != 2) {
        bad_tensor(entry.name, "lacks its dtype, shape or data_offsets; save the file again");
    }
    auto const* const type = std::ranges::find(kTypes, entry.dtype, &TypeName::name);
    if (type == std::end(kTypes))
        bad_tensor(entry.name, "is of type {}, which is not read; convert it to F32 and save again",
                   excerpt(entry.dtype));
    if (entry.shape.size() > static_cast<std::size_t>(Shape::kMaxRank)) {
        bad_tensor(entry.name, "has {} dimensions; at most {} are read", entry.shape.size(), Shape::kMaxRank);
    }
    auto const begin = entry.offsets[0];
    auto const end = entry.offsets[1];
    if (begin > end || end > data.size()) {
        bad_tensor(entry.name, "lies at [{}, {}) of {} bytes of data (byte {}); download or copy the file again", begin,
                   end, data.size(), data_begin_);
    }
    Shape const shape(entry.shape);
    auto const count = sane_count(shape);
    std::uint64_t const element = size_of(type->dtype);
    if (!count || (end - begin) % element != 0 || static_cast<std::uint64_t>(*count) != (end - begin) / element) {
        bad_tensor(entry.name, "of shape {} and type {} does not match its {} bytes at byte {}; save the file again",
                   shape.str(), type->name, end - begin, data_begin_ + begin);
    }
    return {one_line(entry.name), {data.data() + begin, type->dtype, shape, shape.contiguous_strides()}};
}

/// The format wants every byte of the data to belong to exactly one tensor.
void SafetensorsReader::check_ranges(std::vector<SafetensorsEntry> const& entries) const {
    std::vector<SafetensorsEntry const*> sorted;
    for (auto const& entry : entries) sorted.push_back(&entry);
    std::ranges::sort(sorted, {},
                      [](SafetensorsEntry const* entry) { return std::pair(entry->offsets[0], entry->offsets[1]); });
    std::uint64_t expected = 0;
    for (auto const* const entry : sorted) {
        if (entry->offsets[0] != expected) {
            bad_tensor(entry->name, "begins at data byte {} instead of {} (file byte {}): {}; save the file again",
                       entry->offsets[0], expected, data_begin_ + entry->offsets[0],
                       entry->offsets[0] < expected ? "it overlaps another one" : "there is a hole");
        }
        expected = entry->offsets[1];
    }
    std::uint64_t const size = source_.bytes.size() - data_begin_;
    if (expected != size) {
        fail(
            "{}: damaged safetensors file: its tensors end at data byte {} of {} (file byte {}); download or copy it "
            "again",
            source_.name, expected, size, data_begin_ + expected);
    }
}

Checkpoint SafetensorsReader::read() {
    auto header = parse_safetensors_header(source_.name, header_text());
    Checkpoint checkpoint;
    checkpoint.path = source_.name;
    checkpoint.format = "safetensors";
    checkpoint.storage = source_.owner;
    checkpoint.values = std::move(header.metadata);
    checkpoint.tensors.reserve(header.entries.size());
    for (auto const& entry : header.entries) checkpoint.tensors.push_back(tensor(entry));
    check_ranges(header.entries);
    return checkpoint;
}

}  // namespace

bool is_safetensors(ByteSpan bytes) {
    return bytes.size() > kLengthSize && static_cast<char>(bytes[kLengthSize]) == '{' &&
           load_le<std::uint64_t>(bytes, 0) < (std::uint64_t{1} << 40);
}

Checkpoint read_safetensors(Source const& source) {
    return SafetensorsReader(source).read();
}

}  // namespace vitrum
