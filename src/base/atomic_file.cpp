// SPDX-License-Identifier: Apache-2.0
#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/check.h"

namespace vitrum {
namespace {

constexpr mode_t kPermissions = 0666;  // less the umask, as for every new file
constexpr int kAttempts = 100;

std::filesystem::path folder_of(std::filesystem::path const& file) {
    auto const parent = file.parent_path();
    return parent.empty() ? "." : parent;
}

/// A hidden name in the target's folder that no other writer picks.
std::filesystem::path hidden_name(std::filesystem::path const& target) {
    static std::atomic<unsigned> counter{0};
    constexpr std::size_t kLongest = 100;  // room for the rest within the usual 255 bytes
    auto const name = target.filename().string().substr(0, kLongest);
    return folder_of(target) / fmt::format(".{}.{}-{}.tmp", name, getpid(), counter.fetch_add(1));
}

/// Where a link points to, so that the link itself stays.
std::filesystem::path behind_links(std::filesystem::path const& path) {
    std::error_code error;
    if (!std::filesystem::is_symlink(path, error)) return path;
    auto const real = std::filesystem::weakly_canonical(path, error);
    return error ? path : real;
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path const& target) : target_(behind_links(target)) {
    struct stat status {};
    if (!target_.has_filename()) fail("{}: cannot write: this names a folder, not a file", target_.string());
    if (stat(target_.c_str(), &status) == 0) {
        if (!S_ISREG(status.st_mode)) fail("{}: cannot write: it exists and is not a regular file", target_.string());
        if (access(target_.c_str(), W_OK) != 0) fail_with_errno("cannot write");
    }
    open_unnamed();
    if (fd_ < 0) open_named();
    keep_permissions();
}

AtomicFile::~AtomicFile() {
    if (fd_ >= 0) ::close(fd_);
    if (!named_.empty()) unlink(named_.c_str());
}

void AtomicFile::open_unnamed() {
    fd_ = open(folder_of(target_).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kPermissions);
    if (fd_ < 0) return;
    // Without /proc the file could never get a name.
    writable_path_ = fmt::format("/proc/self/fd/{}", fd_);
    if (access(writable_path_.c_str(), W_OK) == 0) return;
    ::close(fd_);
    fd_ = -1;
}

void AtomicFile::open_named() {
    for (int attempt = 0; attempt < kAttempts && fd_ < 0; ++attempt) {
        auto const name = hidden_name(target_);
        fd_ = open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kPermissions);
        if (fd_ >= 0) named_ = name;
        else if (errno != EEXIST) break;
    }
    if (fd_ < 0) fail_with_errno("cannot write");
    writable_path_ = named_;
}

/// A file that is replaced keeps its permissions.
void AtomicFile::keep_permissions() {
    struct stat status {};
    if (stat(target_.c_str(), &status) == 0) static_cast<void>(fchmod(fd_, status.st_mode & 07777));
}

void AtomicFile::write(std::span<std::byte const> bytes) {
    while (!bytes.empty()) {
        auto const written = ::write(fd_, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) fail_with_errno("cannot write");
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
}

void AtomicFile::link_unnamed() {
    // linkat cannot replace a file, rename can: first a hidden name, then the target's.
    for (int attempt = 0; attempt < kAttempts && named_.empty(); ++attempt) {
        auto const name = hidden_name(target_);
        if (linkat(AT_FDCWD, writable_path_.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0) named_ = name;
        else if (errno != EEXIST) break;
    }
    if (named_.empty()) fail_with_errno("cannot write");
}

void AtomicFile::close() {
    int const fd = fd_;
    fd_ = -1;
    // Network file systems report a full disk only here.
    if (fd >= 0 && ::close(fd) != 0) fail_with_errno("cannot write");
}

void AtomicFile::commit() {
    if (named_.empty()) link_unnamed();
    close();
    if (std::rename(named_.c_str(), target_.c_str()) != 0) fail_with_errno("cannot write");
    named_.clear();
}

void AtomicFile::fail_with_errno(char const* what) const {
    int const error = errno;
    switch (error) {
        case ENOSPC:
        case EDQUOT: fail("{}: {}: the disk is full", target_.string(), what);
        case ENOENT: fail("{}: {}: the folder does not exist; make it first", target_.string(), what);
        case EACCES:
        case EPERM: fail("{}: {}: no permission", target_.string(), what);
        default: fail("{}: {}: {}", target_.string(), what, std::strerror(error));
    }
}

}  // namespace vitrum
