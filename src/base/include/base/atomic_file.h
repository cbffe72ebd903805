// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace vitrum {

/// A file that appears whole or not at all: it is written beside its target and takes the target's place at
/// commit(). Until then it has no name where the file system allows that (O_TMPFILE), so that even a killed
/// process leaves nothing behind; elsewhere it has a hidden one, which the destructor removes.
class AtomicFile {
public:
    /// Throws Error where the folder is missing or may not be written to.
    explicit AtomicFile(std::filesystem::path const& target);
    ~AtomicFile();
    AtomicFile(AtomicFile const&) = delete;
    AtomicFile& operator=(AtomicFile const&) = delete;

    void write(std::span<std::byte const> bytes);
    /// For code that writes files by path: opening it for writing writes to this file. It has no useful extension.
    [[nodiscard]] std::filesystem::path const& writable_path() const { return writable_path_; }
    /// Puts the file in the target's place. Throws Error, and leaves the target as it was, where that fails.
    void commit();

private:
    void open_unnamed();
    void open_named();
    void keep_permissions();
    void link_unnamed();
    void close();
    [[noreturn]] void fail_with_errno(char const* what) const;

    std::filesystem::path target_;
    std::filesystem::path named_;  ///< the hidden name, empty while there is none
    std::filesystem::path writable_path_;
    int fd_ = -1;
};

}  // namespace vitrum
