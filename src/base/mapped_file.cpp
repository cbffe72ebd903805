// SPDX-License-Identifier: Apache-2.0
#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>

#include "base/check.h"

namespace vitrum {
namespace {

struct Descriptor {
    int fd;
    ~Descriptor() {
        if (fd >= 0) close(fd);
    }
};

/// What is mapped now: where each file begins, and its size.
struct Mappings {
    std::mutex mutex;
    std::map<std::byte const*, std::size_t, std::less<>> sizes;

    /// The whole file that the byte lies in; empty where it lies in none.
    std::span<std::byte const> around(std::byte const* data) {
        auto const after = sizes.upper_bound(data);
        if (after == sizes.begin()) return {};
        auto const [begin, size] = *std::prev(after);
        if (data >= begin + size) return {};
        return {begin, size};
    }
};

Mappings& mappings() {
    static auto& all = *new Mappings();  // files may be mapped until the process ends
    return all;
}

}  // namespace

bool lies_in_mapped_file(std::byte const* data) {
    std::scoped_lock const lock(mappings().mutex);
    return !mappings().around(data).empty();
}

void give_back_mapped_pages(std::span<std::byte const> bytes) {
    // Linux maps as much as this around a byte that is read (fault_around_bytes), neighbours with it.
    constexpr std::size_t kWindow = std::size_t{64} << 10;
    std::scoped_lock const lock(mappings().mutex);  // as long as it is held, the file stays mapped
    auto const file = mappings().around(bytes.data());
    if (bytes.empty() || file.empty()) return;
    auto const address = reinterpret_cast<std::uintptr_t>(bytes.data());
    auto const begin = reinterpret_cast<std::uintptr_t>(file.data());
    auto const first = std::max(address / kWindow * kWindow, begin);
    auto const last = std::min((address + bytes.size() + kWindow - 1) / kWindow * kWindow, begin + file.size());
    // Of a private mapping that nobody writes to, this drops what can be read again. Where it fails, memory stays.
    madvise(const_cast<std::byte*>(file.data() + (first - begin)), last - first, MADV_DONTNEED);
}

MappedFile::MappedFile(std::filesystem::path const& path) : path_(path) {
    Descriptor const file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (file.fd < 0) fail("{}: cannot open: {}", path.string(), std::strerror(errno));
    struct stat status {};
    if (fstat(file.fd, &status) != 0) fail("{}: cannot read: {}", path.string(), std::strerror(errno));
    if (!S_ISREG(status.st_mode)) fail("{}: not a regular file", path.string());
    size_ = static_cast<std::size_t>(status.st_size);
    if (size_ == 0) return;
    void* const memory = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.fd, 0);
    if (memory == MAP_FAILED) fail("{}: cannot map: {}", path.string(), std::strerror(errno));
    data_ = static_cast<std::byte const*>(memory);
    std::scoped_lock const lock(mappings().mutex);
    mappings().sizes.emplace(data_, size_);
}

MappedFile::~MappedFile() {
    if (data_ == nullptr) return;
    std::scoped_lock const lock(mappings().mutex);
    mappings().sizes.erase(data_);
    munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace vitrum
