// SPDX-License-Identifier: Apache-2.0
// Zip archives as such: the directory, ZIP64, and everything that is wrong with one.

#include "build_files.h"

namespace vitrum {
namespace {

using namespace make;

Files const kFiles{{"m/data.pkl", pickle(dict({text("epoch"), integer(3)}))}, {"m/data/0", "abcd"}};
constexpr std::ptrdiff_t kEndRecord = 22;

/// The archive with some bytes replaced, counted from its end where `at` is negative.
std::string patched(std::string archive, std::ptrdiff_t at, std::string const& with) {
    auto const begin = at >= 0 ? static_cast<std::size_t>(at) : archive.size() - static_cast<std::size_t>(-at);
    return archive.replace(begin, with.size(), with);
}

TEST(Zip, ReadsZip64Directories) {
    EXPECT_EQ(read(zip(kFiles, {.zip64 = true})).values.at("epoch"), "3");
}

TEST(Zip, ReadsAnArchiveWithAComment) {
    auto archive = patched(zip(kFiles), -2, u16(5));
    EXPECT_EQ(read(archive + "hello").values.at("epoch"), "3");
}

TEST(Zip, RefusesCompressedAndEncryptedEntries) {
    EXPECT_CONTAINS(error_of(zip(kFiles, {.method = 8})), "\"m/data.pkl\" is compressed");
    EXPECT_CONTAINS(error_of(zip(kFiles, {.flags = 1})), "\"m/data.pkl\" is encrypted");
}

TEST(Zip, NamesWithDotsMeanNothing) {
    auto files = kFiles;
    files.emplace_back("../../etc/passwd", "x");
    EXPECT_EQ(read(zip(files)).values.at("epoch"), "3");
}

TEST(Zip, RefusesRepeatedNames) {
    auto files = kFiles;
    files.push_back(files.back());
    EXPECT_CONTAINS(error_of(zip(files)), "\"m/data/0\" is there twice");
}

TEST(Zip, RefusesEntriesThatShareBytes) {
    auto const archive = zip(kFiles);
    std::size_t const second = archive.rfind("PK\x01\x02");
    auto const error = error_of(patched(archive, static_cast<std::ptrdiff_t>(second) + 42, u32(0)));
    EXPECT_CONTAINS(error, "overlap");
}

TEST(Zip, RefusesEntriesThatLeaveTheFile) {
    auto const archive = zip(kFiles);
    auto const directory = static_cast<std::ptrdiff_t>(archive.find("PK\x01\x02"));
    EXPECT_CONTAINS(error_of(patched(archive, directory + 20, u32(1 << 30) + u32(1 << 30))), "leaves the file");
    EXPECT_CONTAINS(error_of(patched(archive, directory + 42, u32(1 << 30))), "is not where the directory says");
    EXPECT_CONTAINS(error_of(patched(archive, directory + 20, u32(1))), "two sizes");
}

TEST(Zip, RefusesDirectoriesThatLie) {
    auto const archive = zip(kFiles);
    EXPECT_CONTAINS(error_of(patched(archive, -kEndRecord + 16, u32(0xFFFFFF00))), "its directory leaves the file");
    EXPECT_CONTAINS(error_of(patched(archive, -kEndRecord + 8, u16(60000) + u16(60000))), "fewer entries than it says");
    EXPECT_CONTAINS(error_of(patched(archive, -kEndRecord + 8, u16(3) + u16(3))), "damaged zip archive");
    auto const zip64 = zip(kFiles, {.zip64 = true});
    EXPECT_CONTAINS(error_of(patched(zip64, -kEndRecord - 12, u64(~std::uint64_t{0}))), "ZIP64 end record");
}

TEST(Zip, SaysThatACutFileIsCut) {
    auto const archive = zip(kFiles);
    EXPECT_CONTAINS(error_of(archive.substr(0, archive.size() - 4)), "no end record, the file seems to be cut off");
    EXPECT_CONTAINS(error_of(archive.substr(0, 10)), "too short");
}

}  // namespace
}  // namespace vitrum
