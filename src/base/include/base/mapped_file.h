// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace vitrum {

/// A file mapped read-only. A file that another process truncates while it is mapped raises SIGBUS, as it
/// does for every program that maps files.
class MappedFile {
public:
    /// Throws Error for a missing, unreadable or special file; an empty file maps to an empty span.
    explicit MappedFile(std::filesystem::path const& path);
    ~MappedFile();
    MappedFile(MappedFile const&) = delete;
    MappedFile& operator=(MappedFile const&) = delete;

    [[nodiscard]] std::span<std::byte const> bytes() const { return {data_, size_}; }
    [[nodiscard]] std::filesystem::path const& path() const { return path_; }

private:
    std::filesystem::path path_;
    std::byte const* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Whether these bytes lie in a file that is mapped now.
[[nodiscard]] bool lies_in_mapped_file(std::byte const* data);

/// Gives the memory that holds these bytes of a mapped file back to the system; who looks at them again reads them from
/// the file again. Does nothing to other memory. Thread-safe.
void give_back_mapped_pages(std::span<std::byte const> bytes);

}  // namespace vitrum
