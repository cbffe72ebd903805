// SPDX-License-Identifier: Apache-2.0
// Arrays of any framework that speaks DLPack, in and out.
#pragma once

#include <nanobind/ndarray.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bindings.h"
#include "frameworks.h"
#include "layout.h"
#include "vitrum/engine.h"

namespace vitrum::python {

/// An array that somebody passed: what it holds, and how to answer in kind.
struct Input {
    nb::object object;
    nb::ndarray<nb::ro> array;
    Framework framework = Framework::other;
    Element element = Element::f32;  ///< where the network takes float32
    bool is_on_device = false;       ///< the engine's
};

/// "[1, 3, 48, 48]"
[[nodiscard]] std::string shape_text(nb::ndarray<nb::ro> const& array);
[[nodiscard]] std::string shape_text(std::vector<std::int64_t> const& shape);

/// The array behind any object that speaks DLPack or the buffer protocol, in this process's memory. Throws TypeError
/// naming `what` and the way out.
[[nodiscard]] nb::ndarray<nb::ro> import_array(nb::handle object, std::string const& what);

/// The same for an input of a network: of any floating-point type where it takes float32, else of its very type. An
/// engine on a GPU takes arrays of that GPU too.
[[nodiscard]] Input import_input(nb::handle object, TensorInfo const& info, CompileOptions const& options);
/// The same, copied from wherever it is to this process's memory.
[[nodiscard]] Input import_from_anywhere(nb::handle object, TensorInfo const& info);

/// Throws UsageError where the array's shape is not the tensor's.
void check_shape(Input const& input, TensorInfo const& info);
/// What DLPack calls NumPy's element type of that name.
[[nodiscard]] nb::dlpack::dtype dtype_named(std::string_view name);
/// NumPy's name.
[[nodiscard]] std::string dtype_text(nb::dlpack::dtype const& type);
[[nodiscard]] std::string_view name_of(Element element);

/// The elements one after the other, the last dimension's fastest.
void copy_packed(nb::ndarray<nb::ro> const& from, std::byte* to);

/// The shape of one of the engine's tensors in every framework: [N, C, H, W], or [N, Q, C] of queries; an ONNX file's
/// own where its values are no pictures.
[[nodiscard]] std::vector<std::int64_t> framework_shape(TensorInfo const& info);

/// An input's memory as pictures or queries.
[[nodiscard]] Planes planes_of(Input const& input, TensorInfo const& info);
/// A packed array of that memory, which `owner` frees, for whoever passed `like`.
[[nodiscard]] nb::object array_of(void* data, std::vector<std::size_t> const& shape, nb::handle owner,
                                  nb::dlpack::dtype dtype, Input const& like);

/// Copies an input to where the session reads it. Throws UsageError where its shape is not the tensor's.
void fill(std::span<std::byte> to, Input const& input, TensorInfo const& info);

/// A new array for one of the engine's tensors, packed.
class Output {
public:
    /// What is float32 inside becomes `element`; the rest keeps its type, but for bfloat16, which NumPy lacks and which
    /// becomes float32 there.
    Output(TensorInfo const& info, Element element, Framework framework);

    /// Copies what the session gave, and tells whether a value was NaN or infinite, or beyond the element type.
    [[nodiscard]] Outcome take(std::span<std::byte const> from);
    /// As an array of the framework that `like` came from. Hands the memory over.
    [[nodiscard]] nb::object release(Input const& like);

private:
    struct Free {
        void operator()(std::byte* memory) const noexcept;
    };
    std::unique_ptr<std::byte[], Free> memory_;
    std::vector<std::size_t> shape_;
    nb::dlpack::dtype given_, dtype_;  ///< the session's and the array's
    Planes planes_;                    ///< of the array, where it is floating-point
};

}  // namespace vitrum::python
