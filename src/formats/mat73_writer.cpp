// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <ctime>
#include <vector>

#include "base/atomic_file.h"
#include "base/check.h"
#include "formats/cube_files.h"
#include "hdf5.h"

namespace vitrum {
namespace {

using hdf5::Handle;

/// What MATLAB expects in the first 128 of the 512 bytes that HDF5 leaves to the user: text, the version 2.0 and
/// the byte order. https://www.loc.gov/preservation/digital/formats/fdd/fdd000440.shtml
std::array<char, 512> user_block() {
    std::array<char, 512> block{};
    std::time_t const now = std::time(nullptr);
    std::tm calendar{};
    gmtime_r(&now, &calendar);
    std::array<char, 32> date{};
    std::strftime(date.data(), date.size(), "%a %b %d %H:%M:%S %Y", &calendar);
    std::string const text =
        fmt::format("MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: {} HDF5 schema 1.00 .", date.data());
    constexpr std::size_t kText = 116, kVersion = 124;
    std::fill_n(block.begin(), kText, ' ');
    std::copy(text.begin(), text.end(), block.begin());
    block[kVersion] = 0x00;
    block[kVersion + 1] = 0x02;
    block[kVersion + 2] = 'I';
    block[kVersion + 3] = 'M';
    return block;
}

class MatFile {
public:
    explicit MatFile(std::filesystem::path const& target) : target_(target), file_(target) {
        Handle const creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
        H5Pset_userblock(creation.get(), user_block().size());
        // Through stdio: the usual driver wants the real path of a file that as yet has none.
        Handle const access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
        H5Pset_fapl_stdio(access.get());
        opened_ =
            Handle(H5Fcreate(file_.writable_path().c_str(), H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose);
        check(opened_.get());
    }

    /// `dims` in the file's order: MATLAB's reversed.
    template <std::size_t Rank>
    Handle add(char const* name, char const* matlab_class, hid_t type, std::array<hsize_t, Rank> const& dims) {
        Handle const space(H5Screate_simple(Rank, dims.data(), nullptr), H5Sclose);
        Handle dataset(H5Dcreate2(opened_.get(), name, type, space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                       H5Dclose);
        check(dataset.get());
        Handle const text(H5Tcopy(H5T_C_S1), H5Tclose);
        H5Tset_size(text.get(), std::string_view(matlab_class).size());
        Handle const scalar(H5Screate(H5S_SCALAR), H5Sclose);
        Handle const attribute(
            H5Acreate2(dataset.get(), "MATLAB_class", text.get(), scalar.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
        check(attribute ? H5Awrite(attribute.get(), text.get(), matlab_class) : -1);
        return dataset;
    }

    void check(std::int64_t status) const {
        if (status < 0) fail("{}: cannot write: {}", target_.string(), hdf5::last_error());
    }

    /// HDF5 writes from the 512th byte on; the header before it is ours.
    void commit() {
        check(H5Fflush(opened_.get(), H5F_SCOPE_LOCAL));
        opened_ = Handle();
        auto const block = user_block();
        file_.write(std::as_bytes(std::span(block)));
        file_.commit();
    }

private:
    std::filesystem::path target_;
    AtomicFile file_;
    Handle opened_;
};

void write_band(MatFile const& file, Handle const& dataset, Handle const& space, CubeView const& cube,
                std::int64_t band, std::vector<float>& columns) {
    for (std::int64_t y = 0; y < cube.height; ++y) {
        float const* const row = cube.values + y * cube.width * cube.bands + band;
        for (std::int64_t x = 0; x < cube.width; ++x)
            columns[static_cast<std::size_t>(x * cube.height + y)] = row[x * cube.bands];
    }
    std::array<hsize_t, 3> const begin = {static_cast<hsize_t>(band), 0, 0};
    std::array<hsize_t, 3> const count = {1, static_cast<hsize_t>(cube.width), static_cast<hsize_t>(cube.height)};
    Handle const memory(H5Screate_simple(3, count.data(), nullptr), H5Sclose);
    file.check(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, begin.data(), nullptr, count.data(), nullptr));
    file.check(H5Dwrite(dataset.get(), H5T_NATIVE_FLOAT, memory.get(), space.get(), H5P_DEFAULT, columns.data()));
}

}  // namespace

void write_mat(std::filesystem::path const& path, CubeView const& cube) {
    hdf5::Lock const lock;
    MatFile file(path);
    {
        std::array<hsize_t, 3> const dims = {static_cast<hsize_t>(cube.bands), static_cast<hsize_t>(cube.width),
                                             static_cast<hsize_t>(cube.height)};
        Handle const dataset = file.add("cube", "single", H5T_IEEE_F32LE, dims);
        Handle const space(H5Dget_space(dataset.get()), H5Sclose);
        std::vector<float> columns(static_cast<std::size_t>(cube.height * cube.width));
        for (std::int64_t band = 0; band < cube.bands; ++band) write_band(file, dataset, space, cube, band, columns);
    }
    {
        std::array<hsize_t, 2> const dims = {static_cast<hsize_t>(cube.bands), 1};
        Handle const dataset = file.add("bands", "double", H5T_IEEE_F64LE, dims);
        file.check(H5Dwrite(dataset.get(), H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, cube.wavelengths.data()));
    }
    file.commit();
}

}  // namespace vitrum
