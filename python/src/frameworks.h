// SPDX-License-Identifier: Apache-2.0
// Which library an array comes from, and what differs between them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bindings.h"

namespace vitrum::python {

enum class Framework : std::uint8_t { numpy, torch, tensorflow, jax, cupy, other };

[[nodiscard]] Framework framework_of(nb::handle array);

[[nodiscard]] std::string text_of(nb::handle object);

/// Whether the numbers lie in this process's memory; true also of what is no array.
[[nodiscard]] bool is_on_host(nb::handle array, Framework framework);
/// "cuda:0"
[[nodiscard]] std::string device_text(nb::handle array, Framework framework);
/// The array in this process's memory, when its device has computed it. Throws python_error where that is not to be
/// had.
[[nodiscard]] nb::object copied_to_host(nb::handle array, Framework framework);

/// What the framework does with the tensor's GPU at this point of the program (a cudaStream_t); null, which is the
/// default one, for frameworks that have finished with what they hand over. Throws UsageError where it is recorded.
[[nodiscard]] void* stream_of(nb::handle array, Framework framework);
/// A new tensor of PyTorch, undefined, beside another. The type is PyTorch's name of one.
[[nodiscard]] nb::object empty_tensor(std::vector<std::int64_t> const& shape, std::string const& dtype,
                                      nb::handle beside);
/// A tensor of PyTorch as something that is quick to read and says what it holds.
[[nodiscard]] nb::object exported_tensor(nb::handle tensor);
/// The tensor behind a capsule.
[[nodiscard]] nb::object tensor_of(nb::handle capsule);

}  // namespace vitrum::python
