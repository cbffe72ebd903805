// SPDX-License-Identifier: Apache-2.0
// Arrays of any framework that speaks DLPack, in and out.
#pragma once

#include <nanobind/ndarray.h>

#include <string>
#include <vector>

#include "bindings.h"
#include "layout.h"
#include "vitrum/engine.h"

namespace vitrum::python {

enum class Framework : std::uint8_t { numpy, torch, tensorflow, jax, other };

/// An array that somebody passed: what it holds, and how to answer in kind.
struct Input {
    nb::object object;
    nb::ndarray<nb::ro> array;
    Framework framework = Framework::other;
    Element element = Element::f32;
};

/// "[1, 3, 48, 48]"
[[nodiscard]] std::string shape_text(nb::ndarray<nb::ro> const& array);
[[nodiscard]] std::string shape_text(std::vector<std::int64_t> const& shape);

/// The array behind any object that speaks DLPack or the buffer protocol, in this process's memory. Throws TypeError
/// naming `what` and the way out.
[[nodiscard]] nb::ndarray<nb::ro> import_array(nb::handle object, std::string const& what);

/// The same for an input of a network: its numbers are floating-point.
[[nodiscard]] Input import_input(nb::handle object, std::string const& what);

/// The shape of one of the engine's tensors in every framework: [N, C, H, W], or [N, Q, C] of queries.
[[nodiscard]] std::vector<std::int64_t> framework_shape(TensorInfo const& info);

/// An input's memory in that layout. Throws UsageError where its shape is not the tensor's.
[[nodiscard]] Planes planes_of(Input const& input, TensorInfo const& info);

/// A new array for one of the engine's tensors, packed.
class Output {
public:
    Output(TensorInfo const& info, Element element);

    [[nodiscard]] Planes const& planes() const { return planes_; }
    /// As an array of the framework that `like` came from. Hands the memory over.
    [[nodiscard]] nb::object release(Input const& like);

private:
    struct Free {
        void operator()(std::byte* memory) const noexcept;
    };
    std::unique_ptr<std::byte[], Free> memory_;
    std::vector<std::size_t> shape_;
    Planes planes_;
};

}  // namespace vitrum::python
