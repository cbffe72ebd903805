// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "session_pool.h"

namespace vitrum::python {

/// What Python's Engine holds.
class PyEngine {
public:
    explicit PyEngine(Engine engine);

    [[nodiscard]] Engine const& engine() const { return pool_.engine(); }
    [[nodiscard]] SessionPool::Lease lease() { return pool_.lease(); }
    [[nodiscard]] std::vector<std::string> const& input_names() const { return input_names_; }

private:
    SessionPool pool_;
    std::vector<std::string> input_names_;
};

}  // namespace vitrum::python
