// SPDX-License-Identifier: Apache-2.0
#include "mat73.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "formats/text.h"
#include "hdf5.h"
#include "numbers.h"

namespace vitrum {
namespace {

using hdf5::Handle;

constexpr std::string_view kSignature("\x89HDF\r\n\x1a\n", 8);
constexpr std::size_t kMatHeader = 512;

[[noreturn]] void damaged(std::string const& file) {
    fail("{}: this .mat file (7.3, HDF5) is damaged or cut short ({})", file, hdf5::last_error());
}

/// The file from memory, so that nothing is locked and the path is opened once.
Handle open_image(ByteSpan bytes, std::string const& file) {
    Handle const access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    constexpr std::size_t kGrowth = 1 << 16;
    H5Pset_fapl_core(access.get(), kGrowth, 0);
    // The library copies the bytes; its interface lacks a const.
    H5Pset_file_image(access.get(), const_cast<std::byte*>(bytes.data()), bytes.size());
    Handle opened(H5Fopen("image.mat", H5F_ACC_RDONLY, access.get()), H5Fclose);
    if (!opened) damaged(file);
    return opened;
}

/// The shape as MATLAB has it: the file's dimensions reversed.
Shape matlab_shape(Handle const& dataset, std::string const& file) {
    Handle const space(H5Dget_space(dataset.get()), H5Sclose);
    int const rank = space ? H5Sget_simple_extent_ndims(space.get()) : -1;
    if (rank < 0) damaged(file);
    if (rank > Shape::kMaxRank) fail("{}: an array of {} dimensions is not read", file, rank);
    std::array<hsize_t, H5S_MAX_RANK> extents{};
    H5Sget_simple_extent_dims(space.get(), extents.data(), nullptr);
    std::array<std::int64_t, Shape::kMaxRank> reversed{};
    for (int i = 0; i < rank; ++i) {
        auto const extent = extents[static_cast<std::size_t>(rank - 1 - i)];
        // More than any file has: checked_numbers() refuses it.
        reversed[static_cast<std::size_t>(i)] = static_cast<std::int64_t>(std::min<hsize_t>(extent, hsize_t{1} << 62));
    }
    return Shape(std::span(reversed).first(static_cast<std::size_t>(rank)));
}

bool holds_numbers(Handle const& dataset) {
    Handle const type(H5Dget_type(dataset.get()), H5Tclose);
    H5T_class_t const kind = H5Tget_class(type.get());
    return kind == H5T_INTEGER || kind == H5T_FLOAT;
}

std::string name_of_link(hid_t file, hsize_t index) {
    std::array<char, 256> name{};
    if (H5Lget_name_by_idx(file, ".", H5_INDEX_NAME, H5_ITER_INC, index, name.data(), name.size(), H5P_DEFAULT) < 0) {
        return {};
    }
    return name.data();
}

void read_variable(Handle const& opened, std::string const& name, std::string const& file, std::size_t file_bytes,
                   MatChoice& choice) {
    H5O_info_t info{};
    if (H5Oget_info_by_name(opened.get(), name.c_str(), &info, H5P_DEFAULT) < 0 || info.type != H5O_TYPE_DATASET)
        return;
    Handle const dataset(H5Dopen2(opened.get(), name.c_str(), H5P_DEFAULT), H5Dclose);
    if (!dataset) damaged(file);
    if (!holds_numbers(dataset)) return;
    Shape const shape = matlab_shape(dataset, file);
    if (!choice.wants(name, shape)) return;

    std::int64_t const count = checked_numbers(shape, file);
    // Deflate reaches 1032:1; a header that promises more than that is a lie, and costs no memory.
    constexpr std::size_t kMostPerByte = 1032;
    if (static_cast<std::size_t>(count) / kMostPerByte > file_bytes) {
        fail("{}: {} {} cannot be in a file of {} bytes; it is damaged or cut short", file, excerpt(name), shape.str(),
             file_bytes);
    }
    std::vector<float> values(static_cast<std::size_t>(count));
    if (H5Dread(dataset.get(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0) damaged(file);
    choice.take({name, shape, from_column_major(std::move(values), shape)});
}

}  // namespace

bool is_hdf5(ByteSpan bytes) {
    std::string_view const text = as_text(bytes);
    return text.starts_with(kSignature) ||
           (text.size() > kMatHeader && text.substr(kMatHeader).starts_with(kSignature));
}

Array read_mat73(ByteSpan bytes, std::string const& file, std::string_view variable) {
    hdf5::Lock const lock;
    Handle const opened = open_image(bytes, file);
    H5G_info_t group{};
    if (H5Gget_info(opened.get(), &group) < 0) damaged(file);
    MatChoice choice(file, variable);
    constexpr hsize_t kMostVariables = 10000;
    for (hsize_t i = 0; i < std::min(group.nlinks, kMostVariables); ++i) {
        std::string const name = name_of_link(opened.get(), i);
        if (!name.empty()) read_variable(opened, name, file, bytes.size(), choice);
    }
    return choice.result();
}

}  // namespace vitrum
