// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <optional>

#include "base/mapped_file.h"
#include "formats/onnx.h"
#include "proto_message.h"

namespace vitrum {

/// "FLOAT8E4M3FN" for error texts.
[[nodiscard]] std::string onnx_dtype_name(std::int64_t code);

/// Reads tensors of one file and those that it keeps in files beside it.
class OnnxTensorReader {
public:
    /// An empty folder: no other files.
    explicit OnnxTensorReader(std::filesystem::path folder) : folder_(std::move(folder)) {}

    [[nodiscard]] OnnxTensor read(ProtoMessage message);
    /// What keeps the bytes of the tensors read so far alive.
    [[nodiscard]] std::vector<std::shared_ptr<void const>> const& storage() const { return storage_; }

private:
    struct Fields;
    [[nodiscard]] static Fields fields_of(ProtoMessage& message);
    [[nodiscard]] ByteSpan stored(ProtoMessage const& message, Fields const& fields, std::uint64_t needed);
    [[nodiscard]] ByteSpan converted(ProtoMessage const& message, Fields const& fields);
    [[nodiscard]] ByteSpan external(ProtoMessage const& message, Fields const& fields, std::uint64_t needed);
    [[nodiscard]] ByteSpan file(ProtoMessage const& message, std::string_view location);
    [[nodiscard]] ByteSpan keep(std::vector<std::byte> bytes);

    std::filesystem::path folder_;
    std::map<std::string, std::shared_ptr<MappedFile const>, std::less<>> files_;
    std::vector<std::shared_ptr<void const>> storage_;
};

}  // namespace vitrum
