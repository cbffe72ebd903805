// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <optional>

#include "formats/onnx.h"
#include "proto_message.h"

namespace vitrum {

/// "FLOAT8E4M3FN" for error texts.
[[nodiscard]] std::string onnx_dtype_name(std::int64_t code);

/// Reads tensors of one file and those that it keeps in files beside it.
class OnnxTensorReader {
public:
    /// Files of that folder are mapped. An empty one: no other files than those known.
    explicit OnnxTensorReader(std::filesystem::path folder, OnnxFiles known = {})
        : folder_(std::move(folder)), files_(std::move(known)) {}

    [[nodiscard]] OnnxTensor read(ProtoMessage message);
    /// What keeps the bytes of the tensors read so far alive.
    [[nodiscard]] std::vector<std::shared_ptr<void const>> const& storage() const { return storage_; }
    /// The other files that tensors lie in.
    [[nodiscard]] OnnxFiles const& files() const { return files_; }

private:
    struct Fields;
    [[nodiscard]] static Fields fields_of(ProtoMessage& message);
    [[nodiscard]] ByteSpan stored(ProtoMessage const& message, Fields const& fields, std::uint64_t needed);
    [[nodiscard]] ByteSpan converted(ProtoMessage const& message, Fields const& fields);
    [[nodiscard]] ByteSpan external(ProtoMessage const& message, Fields const& fields, std::uint64_t needed);
    [[nodiscard]] ByteSpan file(ProtoMessage const& message, std::string_view location);
    [[nodiscard]] ByteSpan keep(std::vector<std::byte> bytes);

    std::filesystem::path folder_;
    OnnxFiles files_;
    std::vector<std::shared_ptr<void const>> storage_;
};

}  // namespace vitrum
