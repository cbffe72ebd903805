// SPDX-License-Identifier: Apache-2.0
// Any bytes are an ONNX model that makes a graph and a program for a small picture, or an Error of one line.

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "importers/onnx.h"
#include "program.h"
#include "reference/backend.h"
#include "vitrum/error.h"

namespace {

void make(vitrum::OnnxSource const& source, vitrum::Sizes const& sizes) {
    static auto const backend = vitrum::make_reference_backend();
    auto const inputs = source.inputs(source.allowed(sizes));
    for (auto const edges : {vitrum::OnnxSource::Edges::pixels, vitrum::OnnxSource::Edges::as_stated}) {
        vitrum::Graph const graph = source.graph(inputs, *backend, edges);
        vitrum::verify(graph);
        static_cast<void>(vitrum::print(graph));
        constexpr std::size_t kStripBytes = 1;  // whatever can be cut into strips is
        static_cast<void>(vitrum::make_program(graph, *backend, sizes, 1, vitrum::Precision::fp32, kStripBytes));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    try {
        // A tensor's bytes may lie anywhere in the file: whoever reads them holds it.
        auto const bytes = std::make_shared<std::string const>(reinterpret_cast<char const*>(data), size);
        vitrum::OnnxSource const source(vitrum::read_onnx(std::as_bytes(std::span(*bytes)), "fuzz", bytes), {});
        make(source, {1, 5, 7});
    } catch (vitrum::Error const& error) {
        if (std::string_view(error.what()).find('\n') != std::string_view::npos) std::abort();
    }
    return 0;
}
