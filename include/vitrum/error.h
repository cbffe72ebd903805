// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

#include "vitrum/export.h"

namespace vitrum {

/// What went wrong, as far as a caller can act on it. The values are the exit codes of the command.
enum class ErrorKind {
    failed = 1,         ///< bad file, unreadable picture, device or system failure
    usage = 2,          ///< the request itself makes no sense (unknown option, contradicting arguments)
    accuracy = 3,       ///< an accuracy limit is broken: NaN or Inf in the output, a golden case missed
    out_of_memory = 4,  ///< even the smallest tile does not fit
};

/// The one exception of the library. Its text says what was wrong, where (file, key, byte offset)
/// and what to do about it; it is one line, without a trailing full stop.
class VITRUM_API Error : public std::runtime_error {
public:
    explicit Error(std::string const& text, ErrorKind kind = ErrorKind::failed)
        : std::runtime_error(text), kind_(kind) {}

    [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }

private:
    ErrorKind kind_;
};

}  // namespace vitrum
