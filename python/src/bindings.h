// SPDX-License-Identifier: Apache-2.0
// One function for each part of the extension module.
#pragma once

#include <nanobind/nanobind.h>

namespace vitrum::python {

namespace nb = nanobind;
using namespace nb::literals;

void bind_errors();
void bind_model(nb::module_& m);
void bind_engine(nb::module_& m);
void bind_pictures(nb::module_& m);
void bind_tasks(nb::module_& m);
void bind_measure(nb::module_& m);

}  // namespace vitrum::python
