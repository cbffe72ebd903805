// SPDX-License-Identifier: Apache-2.0
#include "build_files.h"

namespace vitrum::make {
namespace {

constexpr std::uint32_t kIn64Bits = 0xFFFFFFFF;

std::string local_header(std::string const& name, std::string const& content, ZipOptions options) {
    return u32(0x04034B50) + u16(20) + u16(options.flags) + u16(options.method) + u32(0) + u32(0) +
           u32(content.size()) + u32(content.size()) + u16(name.size()) + u16(0) + name;
}

std::string directory_entry(std::string const& name, std::string const& content, std::size_t header,
                            ZipOptions options) {
    auto const size = options.zip64 ? u32(kIn64Bits) : u32(content.size());
    auto const offset = options.zip64 ? u32(kIn64Bits) : u32(header);
    auto const extra = options.zip64 ? u16(1) + u16(24) + u64(content.size()) + u64(content.size()) + u64(header) : "";
    return u32(0x02014B50) + u16(20) + u16(20) + u16(options.flags) + u16(options.method) + u32(0) + u32(0) + size +
           size + u16(name.size()) + u16(extra.size()) + u16(0) + u16(0) + u16(0) + u32(0) + offset + name + extra;
}

std::string zip64_end(std::size_t entries, std::size_t directory_size, std::size_t directory) {
    auto const record = u32(0x06064B50) + u64(44) + u16(45) + u16(45) + u32(0) + u32(0) + u64(entries) + u64(entries) +
                        u64(directory_size) + u64(directory);
    return record + u32(0x07064B50) + u32(0) + u64(directory + directory_size) + u32(1);
}

}  // namespace

std::string zip(Files const& files, ZipOptions options) {
    std::string archive;
    std::string directory;
    for (auto const& [name, content] : files) {
        directory += directory_entry(name, content, archive.size(), options);
        archive += local_header(name, content, options) + content;
    }
    std::size_t const begin = archive.size();
    archive += directory;
    if (options.zip64) archive += zip64_end(files.size(), directory.size(), begin);
    auto const count = options.zip64 ? u16(0xFFFF) : u16(files.size());
    auto const size = options.zip64 ? u32(kIn64Bits) : u32(directory.size());
    auto const offset = options.zip64 ? u32(kIn64Bits) : u32(begin);
    return archive + u32(0x06054B50) + u16(0) + u16(0) + count + count + size + offset + u16(0);
}

std::string torch_zip(std::string const& value, Files const& storages, Files const& others) {
    Files files{{"archive/data.pkl", pickle(value)}};
    for (auto const& [key, content] : storages) files.emplace_back("archive/data/" + key, content);
    for (auto const& [name, content] : others) files.emplace_back("archive/" + name, content);
    return zip(files);
}

std::string torch_legacy(std::string const& value, Files const& storages, std::string const& little_endian) {
    std::string const magic("\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19", 12);
    auto const machine = dict({text("protocol_version"), integer(1001), text("little_endian"), little_endian});
    Strings keys;
    std::string raw;
    for (auto const& [key, content] : storages) {
        keys.push_back(text(key));
        raw += u64(content.size() / sizeof(float)) + content;
    }
    return pickle(magic) + pickle(integer(1001)) + pickle(machine) + pickle(value) + pickle(list(keys)) + raw;
}

}  // namespace vitrum::make
