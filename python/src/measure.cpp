// SPDX-License-Identifier: Apache-2.0
#include "vitrum/measure.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings.h"
#include "engine.h"
#include "errors.h"
#include "path.h"

namespace vitrum::python {
namespace {

GoldenReport verify(PyEngine& self, Path const& golden, double tolerance) {
    return compute([&](Progress const&) {
        auto const lease = self.lease();
        return verify_golden(lease->session(), golden.value, tolerance);
    });
}

nb::dict facts() {
    nb::dict result;
    for (MachineFact const& fact : doctor()) result[fact.name.c_str()] = fact.value;
    return result;
}

}  // namespace

void bind_measure(nb::module_& m) {
    nb::class_<TensorComparison>(m, "TensorComparison", "How far one output lies from what was expected.")
        .def_ro("name", &TensorComparison::name)
        .def_ro("count", &TensorComparison::count)
        .def_ro("non_finite", &TensorComparison::non_finite)
        .def_ro("absolute_mean", &TensorComparison::absolute_mean)
        .def_ro("absolute_median", &TensorComparison::absolute_median)
        .def_ro("absolute_max", &TensorComparison::absolute_max)
        .def_ro("relative_mean", &TensorComparison::relative_mean)
        .def_ro("relative_median", &TensorComparison::relative_median)
        .def_ro("relative_max", &TensorComparison::relative_max)
        .def_ro("normalised", &TensorComparison::normalised, "max|y - y'| / std(y), what the limit is about")
        .def_ro("psnr_db", &TensorComparison::psnr_db);
    nb::class_<GoldenReport>(m, "GoldenReport")
        .def_ro("outputs", &GoldenReport::outputs)
        .def_ro("tolerance", &GoldenReport::tolerance)
        .def_ro("passed", &GoldenReport::passed);
    m.def("verify", verify, "engine"_a, "golden"_a, "tolerance"_a = 0.0);
    m.def("doctor", facts, nb::sig("def doctor() -> dict[str, str]"));
}

}  // namespace vitrum::python
