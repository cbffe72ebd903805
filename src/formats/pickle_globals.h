// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "base/dtype.h"
#include "pickle_value.h"

namespace vitrum::pickle {

/// The meaning of a global, or nothing where a checkpoint has no business naming it. The result's name lives
/// for ever.
[[nodiscard]] std::optional<Global> find_global(std::string_view module, std::string_view name);

/// The element type that a torch storage ("FloatStorage") or dtype ("float32") name stands for; nothing for types
/// that exist in PyTorch but are not read here (complex64, QInt8Storage, UntypedStorage).
[[nodiscard]] std::optional<DType> torch_dtype(std::string_view name);

/// The element type of a numpy type code ("f4"); nothing for strings, objects, complex numbers and records.
[[nodiscard]] std::optional<DType> numpy_dtype(std::string_view code);

}  // namespace vitrum::pickle
