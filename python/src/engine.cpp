// SPDX-License-Identifier: Apache-2.0
#include "engine.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "arrays.h"
#include "bindings.h"
#include "call.h"
#include "errors.h"
#include "path.h"
#include "vitrum/measure.h"

namespace vitrum::python {

PyEngine::PyEngine(Engine engine) : pool_(std::move(engine)), declared_inputs_(this->engine().declared_inputs()) {}

namespace {

CompileOptions options_of(std::string const& device, int threads, std::string const& isa,
                          std::string const& precision) {
    DeviceName const chosen = device_named(device);
    return {chosen.device, threads, isa, chosen.index, precision_named(precision)};
}

/// As asked, or in what "auto" stands for.
Engine settled(Engine const& engine, CompileOptions const& asked) {
    return asked.precision ? engine : in_automatic_precision(engine);
}

void compile_model(PyEngine* self, Model const& model, std::string const& device, int threads, std::string const& isa,
                   std::string const& precision) {
    auto const options = options_of(device, threads, isa, precision);
    nb::gil_scoped_release const released;
    new (self) PyEngine(settled(Engine::compile(model, options), options));
}

void open_file(PyEngine* self, Path const& path, std::string const& device, int threads, std::string const& isa,
               std::string const& precision, Overrides const& overrides) {
    auto const options = options_of(device, threads, isa, precision);
    nb::gil_scoped_release const released;
    new (self) PyEngine(settled(Engine::open(path.value, options, overrides), options));
}

/// Runs once first: that fills the input, packs weights and touches memory.
std::vector<OpProfile> profile(PyEngine& self, std::int64_t height, std::int64_t width, std::int64_t batch, int runs) {
    if (runs < 1) refuse("runs: at least 1 is needed");
    return compute([&](Progress const& progress) {
        auto const lease = self.lease();
        Sizes const sizes{batch, height, width};
        lease->prepare(sizes);
        BenchOptions const once{.warm_up_seconds = 0, .duration_seconds = 0, .iterations = 1, .progress = progress};
        static_cast<void>(benchmark(lease->session(), sizes, once));
        return lease->session().profile(runs);
    });
}

BenchResult bench(PyEngine& self, std::int64_t height, std::int64_t width, std::int64_t batch, double seconds) {
    return compute([&](Progress const& progress) {
        auto const lease = self.lease();
        Sizes const sizes{batch, height, width};
        lease->prepare(sizes);
        return benchmark(lease->session(), sizes, {.duration_seconds = seconds, .progress = progress});
    });
}

void bind_records(nb::module_& m) {
    nb::class_<TensorInfo>(m, "TensorInfo", "An input or output of a network.")
        .def_ro("name", &TensorInfo::name)
        .def_prop_ro(
            "shape", [](TensorInfo const& info) { return nb::tuple(nb::cast(framework_shape(info))); },
            nb::sig("def shape(self) -> tuple[int, ...]"),
            "(N, C, H, W), or (N, Q, C) of queries; an ONNX file's own where that is no picture")
        .def_ro("dtype", &TensorInfo::dtype, "NumPy's name of the element type: \"float32\"")
        .def("__repr__", [](TensorInfo const& info) {
            return "TensorInfo(" + info.name + " " + shape_text(framework_shape(info)) + ")";
        });
    nb::class_<OpProfile>(m, "OpProfile", "Time and traffic of one operator, of one run.")
        .def_ro("op", &OpProfile::op, "\"WindowAttention\"")
        .def_ro("provenance", &OpProfile::provenance, "the checkpoint's module path")
        .def_ro("kernel", &OpProfile::kernel)
        .def_ro("seconds", &OpProfile::seconds)
        .def_ro("flops", &OpProfile::flops)
        .def_ro("bytes", &OpProfile::bytes, "activations and weights read and written once each")
        .def("__repr__", [](OpProfile const& p) {
            return "OpProfile(" + p.op + " " + p.provenance + ": " + std::to_string(p.seconds * 1e3) + " ms)";
        });
    nb::class_<BenchResult>(m, "BenchResult", "Latency of the network alone, in milliseconds.")
        .def_ro("runs", &BenchResult::runs)
        .def_ro("first_ms", &BenchResult::first_ms, "the first call at this size")
        .def_ro("min_ms", &BenchResult::min_ms)
        .def_ro("mean_ms", &BenchResult::mean_ms)
        .def_ro("p50_ms", &BenchResult::p50_ms)
        .def_ro("p90_ms", &BenchResult::p90_ms)
        .def_ro("p99_ms", &BenchResult::p99_ms)
        .def_ro("max_ms", &BenchResult::max_ms)
        .def_ro("compute_ms", &BenchResult::compute_ms, "on the device alone, without copies to and from it")
        .def_ro("arena_bytes", &BenchResult::arena_bytes, "activations");
}

using PyClass = nb::class_<PyEngine>;

void bind_facts(PyClass& engine) {
    auto const sizes = [](std::int64_t n, std::int64_t height, std::int64_t width) { return Sizes{n, height, width}; };
    engine
        .def_prop_ro(
            "info", [](PyEngine const& e) -> ModelInfo const& { return e.engine().info(); },
            nb::rv_policy::reference_internal)
        .def_prop_ro(
            "input_names",
            [](PyEngine const& e) {
                std::vector<std::string> names;
                for (TensorInfo const& info : e.declared_inputs()) names.push_back(info.name);
                return names;
            },
            "in the order of a call's arguments")
        .def_prop_ro("device", [](PyEngine const& e) { return device_name(e.engine().options()); })
        .def_prop_ro("threads", [](PyEngine const& e) { return e.engine().options().threads; })
        .def_prop_ro(
            "isa", [](PyEngine const& e) { return e.engine().isa(); }, "the instruction set of the kernels")
        .def_prop_ro(
            "precision", [](PyEngine const& e) { return std::string(name_of(e.engine().precision())); },
            "what products are computed in: \"fp32\", \"tf32\", \"bf16\" or \"fp16\"")
        .def_prop_ro(
            "graph", [](PyEngine const& e) { return e.engine().graph_text(); }, "one line an operator")
        .def_prop_ro("weight_bytes", [](PyEngine const& e) { return e.engine().weight_bytes(); })
        .def(
            "inputs",
            [sizes](PyEngine const& e, std::int64_t n, std::int64_t h, std::int64_t w) {
                return e.engine().inputs(sizes(n, h, w));
            },
            "n"_a, "height"_a, "width"_a, "What goes in for pictures of these sizes; the first input is the picture.")
        .def(
            "outputs",
            [sizes](PyEngine const& e, std::int64_t n, std::int64_t h, std::int64_t w) {
                return e.engine().outputs(sizes(n, h, w));
            },
            "n"_a, "height"_a, "width"_a)
        .def(
            "flops",
            [sizes](PyEngine const& e, std::int64_t n, std::int64_t h, std::int64_t w) {
                return e.engine().flops(sizes(n, h, w));
            },
            "n"_a, "height"_a, "width"_a, "Floating-point operations of one run, a multiply-add counted as two.")
        .def(
            "arena_bytes",
            [sizes](PyEngine const& e, std::int64_t n, std::int64_t h, std::int64_t w) {
                return e.engine().arena_bytes(sizes(n, h, w));
            },
            "n"_a, "height"_a, "width"_a, "Memory for activations that a call needs; nothing is allocated.");
}

}  // namespace

void bind_engine(nb::module_& m) {
    bind_records(m);
    PyClass engine(m, "Engine", "A network made ready for one device. May be shared between threads.");
    engine
        .def("__init__", compile_model, "model"_a, nb::kw_only(), "device"_a = "cpu", "threads"_a = 0, "isa"_a = "",
             "precision"_a = "auto")
        .def("__init__", open_file, "path"_a, nb::kw_only(), "device"_a = "cpu", "threads"_a = 0, "isa"_a = "",
             "precision"_a = "auto", "overrides"_a = Overrides{})
        .def("__call__", call, nb::sig("def __call__(self, *inputs: typing.Any, **named: typing.Any) -> typing.Any"),
             "Runs the network on arrays [N, C, H, W]; the same framework and type come back.")
        .def("evaluate", evaluate,
             nb::sig("def evaluate(self, *inputs: typing.Any, **named: typing.Any) -> dict[str, typing.Any]"),
             "The same, but a dict of all outputs, in which NaN and infinite values are left as they are.")
        .def(
            "save", [](PyEngine const& e, Path const& path) { e.engine().save(path.value); }, "path"_a,
            nb::call_guard<nb::gil_scoped_release>(), "Writes an engine file: whole or not at all.")
        .def("profile", profile, "height"_a, "width"_a, nb::kw_only(), "batch"_a = 1, "runs"_a = 5,
             "The time of each operator, in the order of running.")
        .def("bench", bench, "height"_a, "width"_a, nb::kw_only(), "batch"_a = 1, "seconds"_a = 3.0,
             "Latency of the network alone, on noise.");
    bind_facts(engine);
}

}  // namespace vitrum::python
