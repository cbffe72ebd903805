// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "base/buffer.h"

namespace vitrum::test {

/// Memory filled with NaN, between guards that show a stray write. What lies `alignment` bytes beyond the end (or
/// beyond the trailing guard) faults at once, which also catches stray reads.
class GuardedMemory {
public:
    enum class Fill { nan, zero };
    /// `guard_bytes` after the end catch stray writes without ending the test program.
    explicit GuardedMemory(std::size_t bytes, Fill fill = Fill::nan, std::size_t guard_bytes = 0,
                           std::size_t alignment = Buffer::kAlignment);
    ~GuardedMemory();
    GuardedMemory(GuardedMemory&& other) noexcept;
    GuardedMemory(GuardedMemory const&) = delete;
    GuardedMemory& operator=(GuardedMemory const&) = delete;

    [[nodiscard]] std::byte* data() const { return data_; }
    [[nodiscard]] std::size_t size_bytes() const { return bytes_; }
    /// The memory with both guards: what a device gets a copy of.
    [[nodiscard]] std::span<std::byte> all() const { return {mapping_, mapping_bytes_}; }
    [[nodiscard]] bool guards_intact() const;

private:
    std::byte* mapping_ = nullptr;
    std::size_t mapping_bytes_ = 0;  ///< accessible bytes, followed by one page that faults
    std::byte* data_ = nullptr;
    std::size_t bytes_ = 0;
};

}  // namespace vitrum::test
