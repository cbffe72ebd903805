// SPDX-License-Identifier: Apache-2.0
#include "allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<long> count{0};

}  // namespace

void* operator new(std::size_t size) {
    ++count;
    if (void* const memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
// The address sanitizer would give this one memory of its own, which the operator below could not free.
void* operator new(std::size_t size, std::nothrow_t const&) noexcept {
    ++count;
    return std::malloc(size);
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace vitrum::test {

long allocations() {
    return count;
}

}  // namespace vitrum::test
