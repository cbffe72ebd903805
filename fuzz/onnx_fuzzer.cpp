// SPDX-License-Identifier: Apache-2.0
// Any bytes are an ONNX model whose tensors lie inside of the file, or an Error of one line.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "formats/onnx.h"
#include "vitrum/error.h"

namespace {

unsigned touch(vitrum::OnnxGraph const& graph) {
    unsigned sum = 0;
    for (auto const& tensor : graph.tensors) {
        if (tensor.bytes.size() != static_cast<std::size_t>(tensor.shape.count()) * vitrum::size_of(tensor.dtype)) {
            std::abort();
        }
        for (std::byte const byte : tensor.bytes) sum += static_cast<unsigned>(byte);
    }
    for (auto const& node : graph.nodes) {
        for (auto const& attribute : node.attributes) sum += attribute.graph ? touch(*attribute.graph) : 0;
        sum += static_cast<unsigned>(node.label().size());
    }
    return sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    try {
        auto const model = vitrum::read_onnx({reinterpret_cast<std::byte const*>(data), size}, "fuzz", nullptr);
        if (touch(model.graph) == 0xFFFFFFFFU) std::abort();  // never: the sum keeps the reads from being left out
    } catch (vitrum::Error const& error) {
        if (std::string_view(error.what()).find('\n') != std::string_view::npos) std::abort();
    }
    return 0;
}
