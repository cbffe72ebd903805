// SPDX-License-Identifier: Apache-2.0
#include "zip.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "formats/text.h"

namespace vitrum {
namespace {

constexpr std::uint32_t kLocalHeader = 0x04034B50;
constexpr std::uint32_t kDirectoryHeader = 0x02014B50;
constexpr std::uint32_t kEndRecord = 0x06054B50;
constexpr std::uint32_t kZip64EndRecord = 0x06064B50;
constexpr std::uint32_t kZip64Locator = 0x07064B50;
constexpr std::size_t kLocalHeaderSize = 30;
constexpr std::size_t kDirectoryHeaderSize = 46;
constexpr std::size_t kEndRecordSize = 22;
constexpr std::size_t kZip64EndRecordSize = 56;
constexpr std::size_t kZip64LocatorSize = 20;
constexpr std::size_t kLongestComment = 0xFFFF;
constexpr std::uint32_t kIn64Bits = 0xFFFFFFFF;

struct Directory {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::uint64_t entries = 0;
};

/// What the central directory says of one entry.
struct Record {
    std::string_view name;
    std::uint16_t flags = 0;
    std::uint16_t method = 0;
    std::uint64_t packed_size = 0;
    std::uint64_t size = 0;
    std::uint64_t header = 0;  ///< offset of the local header
};

/// A range of the file that an entry claims, its header included.
struct Claim {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::string_view name;
};

class DirectoryReader {
public:
    explicit DirectoryReader(Source const& source) : source_(source), bytes_(source.bytes) {}

    Directory find_directory() const;
    Record next(std::size_t& at, std::uint64_t end) const;
    /// The entry's content, and in `claim` the range that nothing else may use.
    ByteSpan locate(Record const& record, std::uint64_t directory, Claim& claim) const;

private:
    template <class T>
    T load(std::uint64_t at) const {
        return load_le<T>(bytes_, static_cast<std::size_t>(at));
    }
    std::size_t find_end_record() const;
    void read_zip64_sizes(Record& record, std::size_t at, std::size_t end) const;
    [[noreturn]] void damaged(std::uint64_t at, std::string_view what) const {
        fail("{}: damaged zip archive: {} (byte {}); download or copy the file again", source_.name, what, at);
    }

    Source const& source_;
    ByteSpan bytes_;
};

std::size_t DirectoryReader::find_end_record() const {
    if (bytes_.size() < kEndRecordSize) damaged(0, "the file is too short for its end record");
    std::size_t const last = bytes_.size() - kEndRecordSize;
    std::size_t const first = last - std::min(last, kLongestComment);
    for (std::size_t at = last + 1; at-- > first;) {
        // A comment could hold the signature by chance; the real record's comment ends with the file.
        if (load<std::uint32_t>(at) == kEndRecord && load<std::uint16_t>(at + 20) == last - at) return at;
    }
    damaged(bytes_.size(), "no end record, the file seems to be cut off");
}

Directory DirectoryReader::find_directory() const {
    std::size_t const end = find_end_record();
    Directory directory{load<std::uint32_t>(end + 16), load<std::uint32_t>(end + 12), load<std::uint16_t>(end + 10)};
    std::uint64_t limit = end;
    bool const has_locator = end >= kZip64LocatorSize && load<std::uint32_t>(end - kZip64LocatorSize) == kZip64Locator;
    if (has_locator) {
        limit = load<std::uint64_t>(end - kZip64LocatorSize + 8);
        if (!lies_inside(limit, kZip64EndRecordSize, end - kZip64LocatorSize) ||
            load<std::uint32_t>(limit) != kZip64EndRecord) {
            damaged(end - kZip64LocatorSize, "its ZIP64 end record is not where the locator says");
        }
        directory = {load<std::uint64_t>(limit + 48), load<std::uint64_t>(limit + 40), load<std::uint64_t>(limit + 32)};
    }
    if (!lies_inside(directory.offset, directory.size, limit)) damaged(end, "its directory leaves the file");
    if (directory.entries > directory.size / kDirectoryHeaderSize)
        damaged(end, "its directory holds fewer entries than it says");
    return directory;
}

Record DirectoryReader::next(std::size_t& at, std::uint64_t end) const {
    if (!lies_inside(at, kDirectoryHeaderSize, end) || load<std::uint32_t>(at) != kDirectoryHeader) {
        damaged(at, "no directory entry where one should be");
    }
    Record record;
    record.flags = load<std::uint16_t>(at + 8);
    record.method = load<std::uint16_t>(at + 10);
    record.packed_size = load<std::uint32_t>(at + 20);
    record.size = load<std::uint32_t>(at + 24);
    record.header = load<std::uint32_t>(at + 42);
    std::size_t const name_size = load<std::uint16_t>(at + 28);
    std::size_t const extra_size = load<std::uint16_t>(at + 30);
    std::size_t const comment_size = load<std::uint16_t>(at + 32);
    std::size_t const name = at + kDirectoryHeaderSize;
    if (!lies_inside(name, name_size + extra_size + comment_size, end))
        damaged(at, "a directory entry leaves the directory");
    record.name = as_text(bytes_.subspan(name, name_size));
    read_zip64_sizes(record, name + name_size, name + name_size + extra_size);
    at = name + name_size + extra_size + comment_size;
    return record;
}

void DirectoryReader::read_zip64_sizes(Record& record, std::size_t at, std::size_t end) const {
    constexpr std::uint16_t kZip64Field = 1;
    while (end - at >= 4) {
        auto const id = load<std::uint16_t>(at);
        std::size_t const size = load<std::uint16_t>(at + 2);
        at += 4;
        if (size > end - at) return;  // some writers pad the extra field with junk
        if (id == kZip64Field) {
            std::size_t const field_end = at + size;
            // The field holds only those numbers that did not fit, in this order.
            for (auto* number : {&record.size, &record.packed_size, &record.header}) {
                if (*number != kIn64Bits) continue;
                if (field_end - at < 8) damaged(at, "a ZIP64 field is too short");
                *number = load<std::uint64_t>(at);
                at += 8;
            }
            return;
        }
        at += size;
    }
}

ByteSpan DirectoryReader::locate(Record const& record, std::uint64_t directory, Claim& claim) const {
    if ((record.flags & 1U) != 0)
        fail("{}: \"{}\" is encrypted; unpack the archive first", source_.name, excerpt(record.name));
    if (!lies_inside(record.header, kLocalHeaderSize, directory) ||
        load<std::uint32_t>(record.header) != kLocalHeader) {
        damaged(record.header, fmt::format("\"{}\" is not where the directory says", excerpt(record.name)));
    }
    std::uint64_t const names =
        std::uint64_t{load<std::uint16_t>(record.header + 26)} + load<std::uint16_t>(record.header + 28);
    std::uint64_t const content = record.header + kLocalHeaderSize + names;
    if (!lies_inside(content, record.packed_size, directory)) {
        damaged(record.header,
                fmt::format("\"{}\" ({} bytes) leaves the file", excerpt(record.name), record.packed_size));
    }
    if (record.method == 0 && record.packed_size != record.size) {
        damaged(record.header, fmt::format("\"{}\" is stored but has two sizes", excerpt(record.name)));
    }
    claim = {record.header, content + record.packed_size, record.name};
    return bytes_.subspan(static_cast<std::size_t>(content), static_cast<std::size_t>(record.packed_size));
}

void refuse_overlaps(Source const& source, std::vector<Claim>& claims) {
    std::ranges::sort(claims, {}, &Claim::begin);
    for (std::size_t i = 1; i < claims.size(); ++i) {
        if (claims[i].begin >= claims[i - 1].end) continue;
        fail("{}: damaged zip archive: \"{}\" and \"{}\" overlap (byte {}); download or copy the file again",
             source.name, excerpt(claims[i - 1].name), excerpt(claims[i].name), claims[i].begin);
    }
}

}  // namespace

ZipArchive::ZipArchive(Source const& source) {
    DirectoryReader const reader(source);
    Directory const directory = reader.find_directory();
    std::vector<Claim> claims(static_cast<std::size_t>(directory.entries));
    auto at = static_cast<std::size_t>(directory.offset);
    for (auto& claim : claims) {
        Record const record = reader.next(at, directory.offset + directory.size);
        ByteSpan const bytes = reader.locate(record, directory.offset, claim);
        if (!by_name_.emplace(record.name, entries_.size()).second) {
            fail("{}: damaged zip archive: \"{}\" is there twice; save the checkpoint again", source.name,
                 excerpt(record.name));
        }
        entries_.push_back({record.name, record.method == 0, bytes});
    }
    refuse_overlaps(source, claims);
}

ZipEntry const* ZipArchive::find(std::string_view name) const {
    auto const found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &entries_[found->second];
}

}  // namespace vitrum
