// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "base/tensor_view.h"
#include "source.h"

namespace vitrum {

/// Where a file says that a tensor lies in its storage, in elements. Any number may be a lie.
struct TensorExtent {
    DType dtype;
    Shape shape;
    Shape strides;
    std::int64_t offset = 0;
};

/// The view, or what is wrong with it.
struct LocatedTensor {
    std::optional<ConstTensorView> view;
    std::string error;

    explicit operator bool() const { return view.has_value(); }
};

[[nodiscard]] LocatedTensor locate(TensorExtent const& extent, ByteSpan storage);

/// The number of elements; nothing where a dimension is negative or an extent, stride or product overflows, also
/// beside a dimension of 0.
[[nodiscard]] std::optional<std::int64_t> sane_count(Shape const& shape);

/// Column-major strides in elements, of a shape already known to be sane.
[[nodiscard]] Shape fortran_strides(Shape const& shape);

}  // namespace vitrum
