// SPDX-License-Identifier: Apache-2.0
#include "formats/safetensors_writer.h"

#include <nlohmann/json.hpp>
#include <set>

#include "base/atomic_file.h"
#include "base/check.h"
#include "formats/text.h"
#include "source.h"

namespace vitrum {
namespace {

static_assert(std::endian::native == std::endian::little, "floats are written as they lie in memory");

constexpr std::size_t kAlignment = 8;  // where the format wants the data to begin
constexpr std::string_view kMetadata = "__metadata__";

std::size_t size_bytes(NamedTensor const& tensor) {
    return static_cast<std::size_t>(tensor.shape.count()) * sizeof(float);
}

std::string header_of(std::filesystem::path const& path, std::span<NamedTensor const> tensors,
                      std::map<std::string, std::string> const& metadata) {
    nlohmann::ordered_json header = nlohmann::ordered_json::object();
    for (auto const& [key, value] : metadata) header[std::string(kMetadata)][valid_utf8(key)] = valid_utf8(value);
    std::set<std::string> names{std::string(kMetadata)};
    std::size_t offset = 0;
    for (auto const& tensor : tensors) {
        auto const name = valid_utf8(tensor.name);
        if (!names.insert(name).second) fail("{}: cannot write two tensors named \"{}\"", path.string(), excerpt(name));
        std::size_t const end = offset + size_bytes(tensor);
        std::vector<std::int64_t> const shape(tensor.shape.begin(), tensor.shape.end());
        header.push_back({name, {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {offset, end}}}});
        offset = end;
    }
    auto text = header.dump();
    text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
    return text;
}

}  // namespace

void write_safetensors(std::filesystem::path const& path, std::span<NamedTensor const> tensors,
                       std::map<std::string, std::string> const& metadata) {
    auto const header = header_of(path, tensors, metadata);
    std::uint64_t const length = header.size();
    AtomicFile file(path);
    file.write(std::as_bytes(std::span(&length, 1)));
    file.write(as_bytes(header));
    for (auto const& tensor : tensors)
        file.write(std::as_bytes(std::span(tensor.data, size_bytes(tensor) / sizeof(float))));
    file.commit();
}

}  // namespace vitrum
