// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "errors.h"
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

/// Runs body(session, progress) without the GIL on one of the engine's sessions, and warns where it ran again.
template <class Body>
auto compute_on(PyEngine& engine, Body const& body) {
    Reruns reruns;
    auto result = compute([&](Progress const& progress) {
        auto const lease = engine.lease();
        Reruns const before = lease->session().reruns();
        auto made = body(*lease, progress);
        reruns = lease->session().reruns().since(before);
        return made;
    });
    warn_of(reruns);
    return result;
}

}  // namespace vitrum::python
