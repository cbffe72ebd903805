// SPDX-License-Identifier: Apache-2.0
#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace vitrum {
namespace {

struct Descriptor {
    int fd;
    ~Descriptor() {
        if (fd >= 0) close(fd);
    }
};

}  // namespace

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
}

MappedFile::~MappedFile() {
    if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace vitrum
