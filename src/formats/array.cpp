// SPDX-License-Identifier: Apache-2.0
#include "formats/array.h"

#include "base/check.h"
#include "base/mapped_file.h"
#include "mat5.h"
#include "mat73.h"
#include "npy.h"

namespace vitrum {

bool looks_like_array(std::span<std::byte const> bytes) {
    return is_npy(bytes) || is_hdf5(bytes) || has_mat_header(bytes);
}

Array read_array(std::span<std::byte const> bytes, std::string const& file, std::string_view variable) {
    bool const is_mat = is_hdf5(bytes) || has_mat_header(bytes);
    if (!is_mat && !variable.empty()) fail_as(ErrorKind::usage, "{}: only a .mat file has named variables", file);
    if (is_npy(bytes)) return read_npy(bytes, file);
    if (is_hdf5(bytes)) return read_mat73(bytes, file, variable);
    if (is_mat) return read_mat5(bytes, file, variable);
    fail("{}: neither a .npy nor a .mat file (5 to 7.3)", file);
}

Array read_array(std::filesystem::path const& path, std::string_view variable) {
    MappedFile const file(path);
    return read_array(file.bytes(), path.string(), variable);
}

}  // namespace vitrum
