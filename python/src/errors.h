// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

#include <chrono>
#include <optional>

#include "vitrum/engine.h"
#include "vitrum/error.h"

namespace vitrum::python {

/// Throws the library's Error of a request that makes no sense: vitrum.UsageError.
[[noreturn]] void refuse(std::string const& text);
/// Throws Python's TypeError.
[[noreturn]] void refuse_type(std::string const& text);

/// Issues vitrum.PrecisionWarning, which Python shows once, where runs were made again. With the GIL.
void warn_of(Reruns const& reruns);

/// Lets Ctrl-C, and any other signal that Python handles, end a long computation.
class Interrupt {
public:
    /// To be called often, without the GIL; looks for signals every tenth of a second.
    [[nodiscard]] Progress progress() {
        return [this](double) { return go_on(); };
    }
    /// With the GIL, after the computation has ended by an error.
    void rethrow() const {
        if (caught_) throw nanobind::python_error(*caught_);
    }

private:
    bool go_on();

    using Clock = std::chrono::steady_clock;
    Clock::time_point next_look_ = Clock::now() + kPause;
    std::optional<nanobind::python_error> caught_;
    static constexpr std::chrono::milliseconds kPause{100};
};

/// Runs body(progress) without the GIL.
template <class Body>
auto compute(Body const& body) {
    Interrupt interrupt;
    try {
        nanobind::gil_scoped_release const released;
        return body(interrupt.progress());
    } catch (Error const&) {
        interrupt.rethrow();
        throw;
    }
}

}  // namespace vitrum::python
