// SPDX-License-Identifier: Apache-2.0
// .npy and .mat files of masks and snapshots: any bytes are an array or an Error of one line. HDF5 inside of .mat 7.3
// is left out: that reader is libhdf5's.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "formats/array.h"
#include "mat73.h"
#include "vitrum/error.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::span const bytes(reinterpret_cast<std::byte const*>(data), size);
    if (vitrum::is_hdf5(bytes)) return 0;
    try {
        vitrum::Array const array = vitrum::read_array(bytes, "fuzz");
        if (array.shape.count() != static_cast<std::int64_t>(array.values.size())) std::abort();
    } catch (vitrum::Error const& error) {
        if (std::string_view(error.what()).find('\n') != std::string_view::npos) std::abort();
    }
    return 0;
}
