// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bindings.h"
#include "engine.h"

namespace vitrum::python {

/// engine(x): arrays in, arrays of the same framework and type out. One output is an array, several are a dict by name.
[[nodiscard]] nb::object call(PyEngine& engine, nb::args const& args, nb::kwargs const& named);

/// The same, but all outputs by name, and NaN and infinite values among them.
[[nodiscard]] nb::dict evaluate(PyEngine& engine, nb::args const& args, nb::kwargs const& named);

}  // namespace vitrum::python
