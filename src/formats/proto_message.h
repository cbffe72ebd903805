// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include <protozero/pbf_reader.hpp>

#include "base/check.h"
#include "source.h"

namespace vitrum {

/// One protobuf message in a mapped file, read field by field. protozero checks bounds; which wire type a field has is
/// the file's word, so that is checked here. Throws Error with the field's byte offset.
class ProtoMessage {
    template <class F>
    auto guarded(F&& read) const {
        try {
            return read();
        } catch (protozero::exception const&) {
            refuse("cut short or damaged; download or export the file again");
        }
    }

public:
    explicit ProtoMessage(Source const& file) : ProtoMessage(file, file.bytes) {}

    /// Moves to the next field.
    bool next() {
        field_at_ = remaining_from();
        return guarded([&] { return reader_.next(); });
    }
    [[nodiscard]] std::uint32_t field() const { return reader_.tag(); }
    [[nodiscard]] std::size_t offset() const { return field_at_; }

    void skip() {
        guarded([&] { return reader_.skip(), true; });
    }
    [[nodiscard]] std::int64_t integer() {
        demand(protozero::pbf_wire_type::varint);
        return guarded([&] { return reader_.get_int64(); });
    }
    [[nodiscard]] float number() {
        demand(protozero::pbf_wire_type::fixed32);
        return guarded([&] { return reader_.get_float(); });
    }
    [[nodiscard]] std::string_view text() {
        demand(protozero::pbf_wire_type::length_delimited);
        return guarded([&] {
            auto const view = reader_.get_view();
            return std::string_view(view.data(), view.size());
        });
    }
    [[nodiscard]] ByteSpan bytes() { return as_bytes(text()); }
    [[nodiscard]] ProtoMessage message() { return ProtoMessage(*file_, bytes()); }

    /// Appends a repeated field's numbers, which lie one by one or packed.
    void append(std::vector<std::int64_t>& to) {
        if (reader_.wire_type() == protozero::pbf_wire_type::varint) return to.push_back(integer());
        demand(protozero::pbf_wire_type::length_delimited);
        guarded([&] {
            for (auto const value : reader_.get_packed_int64()) to.push_back(value);
            return true;
        });
    }
    /// The same for numbers of a fixed size, as bytes.
    template <class T>
    void append_fixed(std::vector<std::byte>& to) {
        constexpr auto kSingle = sizeof(T) == 4 ? protozero::pbf_wire_type::fixed32 : protozero::pbf_wire_type::fixed64;
        if (reader_.wire_type() == kSingle) {
            T const value = guarded([&] {
                if constexpr (sizeof(T) == 4) return reader_.get_float();
                else return reader_.get_double();
            });
            auto const part = std::as_bytes(std::span(&value, 1));
            to.insert(to.end(), part.begin(), part.end());
            return;
        }
        auto const part = bytes();
        if (part.size() % sizeof(T) != 0) fail("{}: byte {}: a list of numbers that ends early", file_->name, offset());
        to.insert(to.end(), part.begin(), part.end());
    }

    [[nodiscard]] Source const& file() const { return *file_; }
    template <class... Args>
    [[noreturn]] void refuse(fmt::format_string<Args...> text, Args&&... args) const {
        throw Error(
            fmt::format("{}: byte {}: {}", file_->name, offset(), fmt::format(text, std::forward<Args>(args)...)));
    }

private:
    ProtoMessage(Source const& file, ByteSpan bytes)
        : file_(&file),
          reader_(reinterpret_cast<char const*>(bytes.data()), bytes.size()),
          end_(bytes.data() + bytes.size()) {}

    [[nodiscard]] std::size_t remaining_from() const {
        return static_cast<std::size_t>(end_ - file_->bytes.data()) - reader_.length();
    }
    void demand(protozero::pbf_wire_type type) const {
        if (reader_.wire_type() != type)
            refuse("field {} is of another type than ONNX's; the file is damaged", field());
    }

    Source const* file_;
    protozero::pbf_reader reader_;
    std::byte const* end_;
    std::size_t field_at_ = 0;
};

}  // namespace vitrum
