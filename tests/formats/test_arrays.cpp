// SPDX-License-Identifier: Apache-2.0
// Files by numpy, scipy, h5py and hdf5storage (zoo/make_array_cases.py), and the same damaged.
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "formats/array.h"
#include "vitrum/error.h"

namespace vitrum::array_test {
namespace {

std::filesystem::path data(std::string const& name) {
    return std::filesystem::path(VITRUM_TEST_DATA) / "arrays" / name;
}

std::string content(std::string const& name) {
    std::ifstream file(data(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

Array parse(std::string const& bytes, std::string_view variable = {}) {
    return read_array(std::as_bytes(std::span(bytes)), "test", variable);
}

std::string error_of(std::string const& bytes, std::string_view variable = {}) {
    try {
        static_cast<void>(parse(bytes, variable));
    } catch (Error const& error) {
        return error.what();
    }
    return "";
}

void expect_ramp(Array const& array) {
    ASSERT_EQ(array.shape, (Shape{3, 4, 2}));
    for (int i = 0; i < 3; ++i) {
        for (int j = 0; j < 4; ++j) {
            for (int k = 0; k < 2; ++k) {
                ASSERT_EQ(array.values[static_cast<std::size_t>((i * 4 + j) * 2 + k)],
                          static_cast<float>(100 * i + 10 * j + k));
            }
        }
    }
}

TEST(Arrays, EveryProducerAndTypeIsRead) {
    for (char const* name : {"float32.npy", "float64.npy", "float16.npy", "uint16.npy", "int64.npy", "uint8.npy",
                             "fortran.npy", "v5.mat", "v5_compressed.mat", "h5py.mat", "v73.mat"}) {
        SCOPED_TRACE(name);
        expect_ramp(read_array(data(name)));
    }
}

TEST(Arrays, OfSeveralVariablesTheNamedOneIsRead) {
    std::string const several = content("v5_several.mat");
    EXPECT_NE(error_of(several).find("ramp [3, 4, 2], flat [3, 4]"), std::string::npos) << error_of(several);
    expect_ramp(parse(several, "ramp"));
    EXPECT_EQ(parse(several, "flat").shape, (Shape{3, 4}));
    EXPECT_NE(error_of(several, "mask").find("no variable mask"), std::string::npos);
    EXPECT_NE(error_of(content("float32.npy"), "ramp").find("only a .mat file"), std::string::npos);
}

TEST(Arrays, WhatIsNotReadIsNamed) {
    EXPECT_NE(error_of(content("big_endian.npy")).find(">f4"), std::string::npos);
    EXPECT_NE(error_of(content("v5_complex.mat")).find("complex"), std::string::npos);
    EXPECT_NE(error_of(content("v4.mat")).find("neither"), std::string::npos);
    EXPECT_NE(error_of("").find("neither"), std::string::npos);
}

std::string npy(std::string const& dictionary, std::string const& numbers = std::string(16, '\0')) {
    std::string const length = {static_cast<char>(dictionary.size() & 0xFF), static_cast<char>(dictionary.size() >> 8)};
    return std::string("\x93NUMPY\x01\x00", 8) + length + dictionary + numbers;
}

TEST(Arrays, AbsurdHeadersAreRefusedBeforeMemoryIsTaken) {
    auto const shaped = [](std::string const& shape) {
        return npy("{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }");
    };
    EXPECT_EQ(parse(shaped("(2, 2)")).shape, (Shape{2, 2}));
    for (char const* shape : {"(1000000, 1000000)", "(-1, 4)", "(9223372036854775807, 8)", "(99999999999999999999,)",
                              "(1, 1, 1, 1, 1, 1, 1, 1, 1)", "(1073741824,)", "4", "("}) {
        EXPECT_NE(error_of(shaped(shape)), "") << shape;
    }
    EXPECT_NE(error_of(npy("{'descr': '<c8', 'fortran_order': False, 'shape': (2,)}")), "");
    EXPECT_NE(error_of(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}")), "");
    EXPECT_NE(error_of(npy("{'fortran_order': False, 'shape': (2,)}")), "");
}

TEST(Arrays, CutFilesEndInAnError) {
    for (char const* name : {"float32.npy", "v5.mat", "v5_compressed.mat"}) {
        std::string const whole = content(name);
        for (std::size_t size = 0; size < whole.size(); ++size) {
            EXPECT_NE(error_of(whole.substr(0, size)), "") << name << " at " << size;
        }
    }
    std::string const hdf5 = content("v73.mat");
    for (std::size_t size = 0; size < hdf5.size(); size += 61) EXPECT_NE(error_of(hdf5.substr(0, size)), "") << size;
}

TEST(Arrays, ChangedBytesEndInAnErrorOrAnArray) {
    for (char const* name : {"float32.npy", "v5_several.mat", "v5_compressed.mat"}) {
        std::string const whole = content(name);
        for (std::size_t i = 0; i < whole.size(); ++i) {
            for (int const change : {0x01, 0x10, 0x80, 0xFF}) {
                std::string changed = whole;
                changed[i] = static_cast<char>(changed[i] ^ change);
                EXPECT_EQ(error_of(changed).find('\n'), std::string::npos);
            }
        }
    }
}

}  // namespace
}  // namespace vitrum::array_test
