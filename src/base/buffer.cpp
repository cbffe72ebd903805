// SPDX-License-Identifier: Apache-2.0
#include "base/buffer.h"

#include <sys/mman.h>

#include "base/check.h"

namespace vitrum {

Buffer::Buffer(std::size_t size_bytes) : size_bytes_(size_bytes) {
    if (size_bytes == 0) return;
    void* const memory = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        size_bytes_ = 0;
        fail_as(ErrorKind::out_of_memory,
                "cannot allocate {:.1f} MiB of memory; use smaller tiles (--tile or --memory)",
                static_cast<double>(size_bytes) / (1024.0 * 1024.0));
    }
    // Huge pages spare the TLB on arenas of hundreds of megabytes; a kernel that declines costs nothing.
    constexpr std::size_t kHugePage = std::size_t{2} << 20;
    if (size_bytes >= 4 * kHugePage) madvise(memory, size_bytes, MADV_HUGEPAGE);
    data_ = static_cast<std::byte*>(memory);
}

Buffer::~Buffer() {
    if (data_ != nullptr) munmap(data_, size_bytes_);
}

}  // namespace vitrum
