// SPDX-License-Identifier: Apache-2.0
// Files that are no checkpoints, and what their owner is told.

#include "formats/file_kind.h"

#include "build_files.h"

namespace vitrum {
namespace {

using namespace make;
using namespace std::string_literals;

FileKind kind_of(std::string const& content) {
    return file_kind(std::as_bytes(std::span(content)));
}

TEST(FileKind, IsToldByContent) {
    EXPECT_EQ(kind_of(zip({})), FileKind::zip);
    EXPECT_EQ(kind_of(torch_legacy(dict({}), {})), FileKind::torch_legacy);
    EXPECT_EQ(kind_of(pickle(dict({}))), FileKind::pickle);
    EXPECT_EQ(kind_of("(dp0\nS'model'\np1\n(dp2\ns."), FileKind::pickle);
    EXPECT_EQ(kind_of(safetensors("{}")), FileKind::safetensors);
    EXPECT_EQ(kind_of("\x08\x08\x12\x07pytorch\x1A\x03"s), FileKind::onnx);
    EXPECT_EQ(kind_of("VITRUM\0\0"s), FileKind::engine);
    EXPECT_EQ(kind_of("hello"), FileKind::other);
    EXPECT_EQ(kind_of(""), FileKind::other);
}

TEST(FileKind, LookAlikesGetAHelpfulError) {
    EXPECT_EQ(error_of("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n"),
              "model.pth: a Git LFS pointer, not the weights; run: git lfs pull");
    EXPECT_EQ(error_of(""), "model.pth: an empty file; download or copy it again");
    EXPECT_CONTAINS(error_of("\n<!DOCTYPE html>\n<html>"), "a web page, not the weights");
    EXPECT_CONTAINS(error_of("\x1F\x8B\x08"), "packed with gzip");
    EXPECT_CONTAINS(error_of("7z\xBC\xAF\x27\x1C"), "a 7z archive");
    EXPECT_CONTAINS(error_of(std::string(257, '\1') + "ustar" + std::string(250, '\0')), "a tar archive");
    EXPECT_CONTAINS(error_of("\x89HDF\r\n\x1A\n"), "an HDF5 file");
    EXPECT_CONTAINS(error_of(R"({"model_type": "mask2former"})"), "JSON text, not the weights");
    EXPECT_CONTAINS(error_of(std::string(1000, '\0')), "filled with zeros");
    EXPECT_CONTAINS(error_of("\x08\x08\x12\x07pytorch"), "an ONNX graph, where a checkpoint is wanted");
    EXPECT_CONTAINS(error_of("VITRUM\0\0"s), "a compiled engine");
    EXPECT_CONTAINS(error_of("\x89PNG\r\n"), "a PNG picture");
    EXPECT_CONTAINS(error_of("abc"), "begins with 61 62 63");
}

TEST(FileKind, AMissingFileIsNamed) {
    try {
        static_cast<void>(open_checkpoint("no/such/file.pth"));
        FAIL();
    } catch (Error const& error) {
        EXPECT_CONTAINS(std::string(error.what()), "no/such/file.pth: cannot open");
    }
}

}  // namespace
}  // namespace vitrum
