// SPDX-License-Identifier: Apache-2.0
#include "errors.h"

#include <new>
#include <string_view>

#include "bindings.h"

namespace vitrum::python {
namespace {

/// The classes of vitrum/errors.py, borrowed from a module that lives as long as the process.
struct ErrorTypes {
    PyObject* error = nullptr;
    PyObject* usage = nullptr;
    PyObject* accuracy = nullptr;
    PyObject* out_of_memory = nullptr;
    PyObject* precision_warning = nullptr;
};
ErrorTypes types;

PyObject* type_of(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::usage: return types.usage;
        case ErrorKind::accuracy: return types.accuracy;
        case ErrorKind::out_of_memory: return types.out_of_memory;
        case ErrorKind::failed: break;
    }
    return types.error;
}

/// The text may hold a path, and a path any bytes.
void raise(PyObject* type, std::string_view text) {
    nb::object const message =
        nb::steal(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
    if (message.is_valid()) PyErr_SetObject(type, message.ptr());
}

void translate(std::exception_ptr const& thrown, void* /*payload*/) {
    try {
        std::rethrow_exception(thrown);
    } catch (Error const& error) {
        raise(type_of(error.kind()), error.what());
    } catch (std::bad_alloc const&) {
        raise(types.out_of_memory, "out of memory");
    }
}

}  // namespace

void refuse(std::string const& text) {
    throw Error(text, ErrorKind::usage);
}

void refuse_type(std::string const& text) {
    throw nb::type_error(text.c_str());
}

void warn_of(Reruns const& reruns) {
    if (reruns.count() == 0) return;
    std::string const text =
        "NaN or infinite values in the precision that was asked for; runs made again: " +
        std::to_string(reruns.in_tf32) + " in tf32, " + std::to_string(reruns.in_fp32) +
        " in fp32, which costs time: compile with precision=\"tf32\" or \"fp32\" to save the first try";
    if (PyErr_WarnEx(types.precision_warning, text.c_str(), 1) != 0) throw nb::python_error();
}

bool Interrupt::go_on() {
    auto const now = Clock::now();
    if (now < next_look_) return true;
    next_look_ = now + kPause;
    nb::gil_scoped_acquire const acquired;
    if (PyErr_CheckSignals() == 0) return true;
    caught_.emplace();
    return false;
}

void bind_errors() {
    nb::module_ const errors = nb::module_::import_("vitrum.errors");
    auto const type = [&](char const* name) { return nb::object(errors.attr(name)).release().ptr(); };
    types = {type("Error"), type("UsageError"), type("AccuracyError"), type("OutOfMemoryError"),
             type("PrecisionWarning")};
    nb::register_exception_translator(translate);
}

}  // namespace vitrum::python
