// SPDX-License-Identifier: Apache-2.0
// The header of an engine file over 512 KiB of zero weights. What is accepted must plan at every size.

#include <cstdint>
#include <vector>

#include "engine_file.h"
#include "program.h"
#include "reference/backend.h"
#include "vitrum/error.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    static auto const weights = std::make_shared<std::vector<std::byte> const>(std::size_t{1} << 19);
    static auto const backend = vitrum::make_reference_backend();
    try {
        auto const engine = vitrum::parse_engine({reinterpret_cast<std::byte const*>(data), size}, *weights, weights);
        if (engine.onnx) return 0;  // no graph yet; the file is fuzz_onnx's
        static_cast<void>(vitrum::print(engine.graph));
        for (vitrum::Sizes const sizes :
             {vitrum::Sizes{1, 1, 1}, vitrum::Sizes{1, 99, 3}, vitrum::Sizes{2, 7, 1 << 20}}) {
            constexpr std::size_t kStripBytes = 1;  // whatever can be cut into strips is
            static_cast<void>(vitrum::make_program(engine.graph, *backend, sizes, 2, engine.precision, kStripBytes));
        }
    } catch (vitrum::Error const&) {
        // what a damaged file is meant to end in
    }
    return 0;
}
