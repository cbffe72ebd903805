// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <utility>

namespace vitrum {

/// Owned memory, aligned to 64 bytes (a cache line and an AVX-512 vector). Move-only. Large buffers come
/// straight from the system and go straight back, so that a dropped arena lowers the process's memory.
class Buffer {
public:
    static constexpr std::size_t kAlignment = 64;

    Buffer() = default;
    /// Zero-filled or freshly mapped memory. Throws Error (out_of_memory) where the system refuses.
    explicit Buffer(std::size_t size_bytes);
    ~Buffer();
    Buffer(Buffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_bytes_(std::exchange(other.size_bytes_, 0)) {}
    Buffer& operator=(Buffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_bytes_, other.size_bytes_);
        return *this;
    }

    [[nodiscard]] std::byte* data() const { return data_; }
    [[nodiscard]] float* floats() const { return reinterpret_cast<float*>(data_); }
    [[nodiscard]] std::size_t size_bytes() const { return size_bytes_; }

private:
    std::byte* data_ = nullptr;
    std::size_t size_bytes_ = 0;
};

}  // namespace vitrum
