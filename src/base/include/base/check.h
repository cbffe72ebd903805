// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/core.h>

#include "vitrum/error.h"

namespace vitrum {

/// Throws Error with a formatted text. For bad input; our own bugs use VITRUM_ASSERT.
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
    throw Error(fmt::format(text, std::forward<Args>(args)...));
}

template <class... Args>
[[noreturn]] void fail_as(ErrorKind kind, fmt::format_string<Args...> text, Args&&... args) {
    throw Error(fmt::format(text, std::forward<Args>(args)...), kind);
}

[[noreturn]] void assertion_failed(char const* condition, char const* file, int line);

}  // namespace vitrum

/// States an invariant of our own code. No file and no request may be able to break it.
#define VITRUM_ASSERT(condition) \
    ((condition) ? static_cast<void>(0) : ::vitrum::assertion_failed(#condition, __FILE__, __LINE__))
