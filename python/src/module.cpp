// SPDX-License-Identifier: Apache-2.0
#include <nanobind/stl/string.h>

#include "bindings.h"
#include "vitrum/version.h"

NB_MODULE(_core, m) {
    using namespace vitrum::python;
    // PyTorch's caches of compiled functions hold engines until the process ends, which is no fault to speak of.
    nanobind::set_leak_warnings(false);
    m.doc() = "The compiled part of vitrum; import vitrum instead.";
    m.def("version", [] { return std::string(vitrum::version()); });
    bind_errors();
    bind_model(m);
    bind_engine(m);
    bind_pictures(m);
    bind_tasks(m);
    bind_measure(m);
}
