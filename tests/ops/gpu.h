// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "backends/backend.h"
#include "loader/cuda.h"
#include "vitrum/error.h"

namespace vitrum::test {

/// The first GPU, opened once; null, with the reason, where there is none.
struct Gpu {
    std::unique_ptr<Backend> backend;
    std::string why_not;
};

[[nodiscard]] inline Gpu const& gpu() {
    static Gpu const opened = [] {
        Gpu made;
        try {
            made.backend = open_cuda_backend(0);
        } catch (Error const& error) {
            made.why_not = error.what();
        }
        return made;
    }();
    return opened;
}

}  // namespace vitrum::test
