// SPDX-License-Identifier: Apache-2.0
#include "formats/file_kind.h"

#include <fmt/core.h>

#include <algorithm>

#include "safetensors.h"
#include "source.h"
#include "torch_legacy.h"

namespace vitrum {
namespace {

using namespace std::string_view_literals;

struct Signature {
    std::string_view magic;
    std::string_view what;
};

constexpr std::string_view kSaveWeights = "; save the weights with torch.save(model.state_dict(), ...)";

constexpr Signature kSignatures[] = {
    {"version https://git-lfs.github.com/spec/"sv, "a Git LFS pointer, not the weights; run: git lfs pull"},
    {"\x1F\x8B"sv, "packed with gzip; unpack it first: gunzip"},
    {"BZh"sv, "packed with bzip2; unpack it first: bunzip2"},
    {"\xFD"
     "7zXZ\0"sv,
     "packed with xz; unpack it first: unxz"},
    {"\x28\xB5\x2F\xFD"sv, "packed with zstd; unpack it first: unzstd"},
    {"7z\xBC\xAF\x27\x1C"sv, "a 7z archive; unpack it first and open the checkpoint inside"},
    {"Rar!"sv, "a rar archive; unpack it first and open the checkpoint inside"},
    {"\x89HDF\r\n\x1A\n"sv, "an HDF5 file (Keras or MATLAB), not a PyTorch checkpoint"},
    {"\x93NUMPY"sv, "one numpy array, not a checkpoint"},
    {"GGUF"sv, "a GGUF file, not a PyTorch checkpoint"},
    {"\x89PNG"sv, "a PNG picture, not a checkpoint"},
    {"\xFF\xD8\xFF"sv, "a JPEG picture, not a checkpoint"},
    {"%PDF"sv, "a PDF document, not a checkpoint"},
    {"\x7F"
     "ELF"sv,
     "a program, not a checkpoint"},
};

bool is_pickle(std::string_view text) {
    if (text.size() < 2) return false;
    if (text[0] == '\x80') return static_cast<unsigned char>(text[1]) <= 5;
    // Protocols 0 and 1 have no magic, only opcodes that a container can begin with and STOP at the end.
    return text.back() == '.' &&
           (text.starts_with("(d") || text.starts_with("(l") || text.starts_with("(i") || text.starts_with("}q") ||
            text.starts_with("]q") || text.starts_with("c_") || text.starts_with("ccollections\n") ||
            text.starts_with("cos\n") || text.starts_with("cnumpy") || text.starts_with("ctorch"));
}

/// A protobuf whose first field is ONNX's ir_version, followed by another field of ModelProto.
bool is_onnx(std::string_view text) {
    if (text.size() < 3 || text[0] != '\x08' || text[1] < 1 || text[1] > 31) return false;
    constexpr std::string_view kNextFields = "\x12\x1A\x22\x28\x32\x3A\x42"sv;
    return kNextFields.find(text[2]) != std::string_view::npos;
}

bool is_tar(std::string_view text) {
    return text.size() > 262 && text.substr(257, 5) == "ustar";
}

bool is_html(std::string_view text) {
    constexpr std::size_t kSearched = 512;
    std::string head(text.substr(0, kSearched));
    std::ranges::transform(head, head.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    auto const first = head.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
    if (first == std::string::npos || head[first] != '<') return false;
    return head.find("<html") != std::string::npos || head.find("<!doctype") != std::string::npos ||
           head.find("<?xml") != std::string::npos;
}

bool is_json(std::string_view text) {
    auto const first = text.find_first_not_of(" \t\r\n");
    return first != std::string_view::npos && (text[first] == '{' || text[first] == '[');
}

}  // namespace

FileKind file_kind(std::span<std::byte const> bytes) {
    auto const text = as_text(bytes);
    if (text.starts_with("PK\x03\x04"sv) || text.starts_with("PK\x05\x06"sv)) return FileKind::zip;
    if (text.starts_with("VITRUM"sv)) return FileKind::engine;
    if (is_safetensors(bytes)) return FileKind::safetensors;
    if (is_torch_legacy(bytes)) return FileKind::torch_legacy;
    if (is_pickle(text)) return FileKind::pickle;
    if (is_onnx(text)) return FileKind::onnx;
    return FileKind::other;
}

std::string describe_other_file(std::span<std::byte const> bytes) {
    auto const text = as_text(bytes);
    if (text.empty()) return "an empty file; download or copy it again";
    for (auto const& signature : kSignatures) {
        if (text.starts_with(signature.magic)) return std::string(signature.what);
    }
    if (is_tar(text)) return "a tar archive; unpack it first and open the checkpoint inside";
    if (is_html(text)) return "a web page, not the weights; the download went wrong, fetch the file itself";
    if (is_json(text)) return "JSON text, not the weights; open the file that it describes";
    bool const zeros = std::ranges::all_of(text.substr(0, 4096), [](char c) { return c == '\0'; });
    if (zeros) return "filled with zeros; download or copy it again";
    std::string head;
    for (char const c : text.substr(0, 8)) head += fmt::format(" {:02x}", static_cast<unsigned char>(c));
    return fmt::format("no checkpoint that is known here (it begins with{}){}", head, kSaveWeights);
}

}  // namespace vitrum
