// SPDX-License-Identifier: Apache-2.0
#include "vitrum/measure.h"

#include <nanobind/ndarray.h>
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

using Numbers = nb::ndarray<nb::numpy, float const, nb::ndim<1>, nb::c_contig>;

TensorComparison compare(std::string name, Numbers const& expected, Numbers const& actual, double value_range) {
    if (expected.size() != actual.size()) refuse(name + ": as many values are expected as there are");
    return compare_tensors(std::move(name), {expected.data(), expected.size()}, {actual.data(), actual.size()},
                           value_range);
}

double limit_of(std::string const& precision) {
    return error_limit(precision_named(precision).value_or(Precision::fp32));
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
    m.def("compare_tensors", compare, "name"_a, "expected"_a, "actual"_a, "value_range"_a,
          nb::sig("def compare_tensors(name: str, expected: numpy.typing.NDArray[numpy.float32], "
                  "actual: numpy.typing.NDArray[numpy.float32], value_range: float) -> TensorComparison"));
    m.def("error_limit", limit_of, "precision"_a, "What the normalised error may be in a precision.");
    m.def("doctor", facts, nb::sig("def doctor() -> dict[str, str]"));
}

}  // namespace vitrum::python
