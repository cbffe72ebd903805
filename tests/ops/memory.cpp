// SPDX-License-Identifier: Apache-2.0
#include "memory.h"

#include <sys/mman.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace vitrum::test {
namespace {

constexpr std::size_t kPage = 4096;

constexpr std::size_t round_up(std::size_t value, std::size_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

/// A NaN (0x7fbadbad, little endian) that no kernel produces: a guard that is read spoils the result, a guard
/// that is overwritten shows, even with other NaN.
std::byte guard_byte(std::byte const* at) {
    constexpr std::array<unsigned char, 4> kPattern{0xad, 0xdb, 0xba, 0x7f};
    return static_cast<std::byte>(kPattern[reinterpret_cast<std::uintptr_t>(at) % 4]);
}

}  // namespace

GuardedMemory::GuardedMemory(std::size_t bytes, Fill fill, std::size_t guard_bytes, std::size_t alignment)
    : bytes_(bytes) {
    std::size_t const behind = round_up(bytes, alignment) + round_up(guard_bytes, alignment);
    mapping_bytes_ = round_up(behind + alignment, kPage);
    void* const memory =
        mmap(nullptr, mapping_bytes_ + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    VITRUM_ASSERT(memory != MAP_FAILED);
    mapping_ = static_cast<std::byte*>(memory);
    VITRUM_ASSERT(mprotect(mapping_ + mapping_bytes_, kPage, PROT_NONE) == 0);
    data_ = mapping_ + mapping_bytes_ - behind;
    for (std::byte* at = mapping_; at < data_; ++at) *at = guard_byte(at);
    std::memset(data_, fill == Fill::nan ? 0xff : 0, bytes_);
    for (std::byte* at = data_ + bytes_; at < mapping_ + mapping_bytes_; ++at) *at = guard_byte(at);
}

GuardedMemory::~GuardedMemory() {
    if (mapping_ != nullptr) munmap(mapping_, mapping_bytes_ + kPage);
}

GuardedMemory::GuardedMemory(GuardedMemory&& other) noexcept
    : mapping_(std::exchange(other.mapping_, nullptr)),
      mapping_bytes_(other.mapping_bytes_),
      data_(other.data_),
      bytes_(other.bytes_) {}

bool GuardedMemory::guards_intact() const {
    for (std::byte const* at = mapping_; at < data_; ++at) {
        if (*at != guard_byte(at)) return false;
    }
    for (std::byte const* at = data_ + bytes_; at < mapping_ + mapping_bytes_; ++at) {
        if (*at != guard_byte(at)) return false;
    }
    return true;
}

}  // namespace vitrum::test
