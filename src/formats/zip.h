// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <unordered_map>
#include <vector>

#include "source.h"

namespace vitrum {

/// One file of an archive, in place.
struct ZipEntry {
    std::string_view name;
    bool stored = true;  ///< false: compressed, and then `bytes` is not the content
    ByteSpan bytes;
};

/// The directory of a zip archive whose entries are stored, as PyTorch writes them. Nothing is unpacked: an
/// entry's content is a range of the file, so neither zip bombs nor names such as "../x" mean anything here.
class ZipArchive {
public:
    /// Throws Error for damaged directories and entries that repeat a name, overlap or leave the file.
    explicit ZipArchive(Source const& source);

    [[nodiscard]] std::vector<ZipEntry> const& entries() const { return entries_; }
    /// The entry of that name, or null.
    [[nodiscard]] ZipEntry const* find(std::string_view name) const;

private:
    std::vector<ZipEntry> entries_;  ///< in the order of the directory
    std::unordered_map<std::string_view, std::size_t> by_name_;
};

}  // namespace vitrum
