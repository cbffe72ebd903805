// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "session_pool.h"

namespace vitrum::python {

/// What Python's Engine holds.
class PyEngine {
public:
    explicit PyEngine(Engine engine);

    [[nodiscard]] Engine const& engine() const { return pool_.engine(); }
    [[nodiscard]] SessionPool::Lease lease() { return pool_.lease(); }
    /// Names and element types of the inputs.
    [[nodiscard]] std::vector<TensorInfo> const& declared_inputs() const { return declared_inputs_; }

private:
    SessionPool pool_;
    std::vector<TensorInfo> declared_inputs_;
};

}  // namespace vitrum::python
