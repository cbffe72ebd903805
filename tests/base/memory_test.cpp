// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/check.h"
#include "base/mapped_file.h"

namespace vitrum {
namespace {

TEST(Buffer, IsAlignedAndZero) {
    for (std::size_t const size : {std::size_t{1}, std::size_t{100}, std::size_t{9} << 20}) {
        Buffer const buffer(size);
        EXPECT_EQ(buffer.size_bytes(), size);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % Buffer::kAlignment, 0U);
        EXPECT_EQ(buffer.data()[0], std::byte{0});
        EXPECT_EQ(buffer.data()[size - 1], std::byte{0});
    }
    EXPECT_EQ(Buffer(0).data(), nullptr);
}

TEST(Buffer, Moves) {
    Buffer first(64);
    first.floats()[3] = 7;
    Buffer second(std::move(first));
    EXPECT_EQ(second.floats()[3], 7);
    Buffer third(128);
    third = std::move(second);
    EXPECT_EQ(third.floats()[3], 7);
    EXPECT_EQ(third.size_bytes(), 64U);
}

TEST(Buffer, SaysThatMemoryIsOut) {
    try {
        Buffer const buffer(std::size_t{1} << 60);
        FAIL() << "an exabyte of memory";
    } catch (Error const& error) {
        EXPECT_EQ(error.kind(), ErrorKind::out_of_memory);
        EXPECT_NE(std::string(error.what()).find("tile"), std::string::npos);
    }
}

std::string error_of(std::filesystem::path const& path) {
    try {
        MappedFile const file(path);
        return "";
    } catch (Error const& error) {
        return error.what();
    }
}

TEST(MappedFile, ReadsAFile) {
    auto const path = std::filesystem::path(testing::TempDir()) / "vitrum_mapped_file";
    std::ofstream(path) << "abc";
    {
        MappedFile const file(path);
        ASSERT_EQ(file.bytes().size(), 3U);
        EXPECT_EQ(file.bytes()[2], std::byte{'c'});
        EXPECT_EQ(file.path(), path);
    }
    std::ofstream(path, std::ios::trunc).flush();
    EXPECT_TRUE(MappedFile(path).bytes().empty());
    std::filesystem::remove(path);
}

/// MiB of mapped files in this process's memory.
double resident_files() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
        if (word == "RssFile:" && status >> word) return std::stod(word) / 1024;
    }
    return 0;
}

TEST(MappedFile, GivesPagesBackAndReadsThemAgain) {
    auto const path = std::filesystem::path(testing::TempDir()) / "vitrum_mapped_pages";
    constexpr std::size_t kBytes = std::size_t{8} << 20;
    std::ofstream(path) << std::string(kBytes, 'v');
    MappedFile const file(path);
    std::filesystem::remove(path);
    auto const sum = [&] { return std::ranges::count(file.bytes(), static_cast<std::byte>('v')); };
    ASSERT_EQ(sum(), kBytes);
    double const before = resident_files();
    give_back_mapped_pages(file.bytes().subspan(100, kBytes - 300));
    EXPECT_LT(resident_files(), before - 7);
    EXPECT_EQ(sum(), kBytes);
    EXPECT_TRUE(lies_in_mapped_file(&file.bytes().back()));
}

TEST(MappedFile, LeavesOtherMemoryAlone) {
    std::vector<std::byte> memory(std::size_t{1} << 20, std::byte{7});
    give_back_mapped_pages(memory);
    give_back_mapped_pages({});
    EXPECT_FALSE(lies_in_mapped_file(memory.data()));
    EXPECT_EQ(std::ranges::count(memory, std::byte{7}), memory.size());
}

TEST(MappedFile, NamesWhatItCannotRead) {
    EXPECT_NE(error_of("no/such/file").find("no/such/file: cannot open"), std::string::npos);
    EXPECT_NE(error_of("/").find("not a regular file"), std::string::npos);
    EXPECT_NE(error_of("/dev/null").find("not a regular file"), std::string::npos);
}

}  // namespace
}  // namespace vitrum
