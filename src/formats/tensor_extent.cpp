// SPDX-License-Identifier: Apache-2.0
#include "tensor_extent.h"

#include <algorithm>

namespace vitrum {
namespace {

/// The elements of the storage that the tensor spans, counted from its first one; nothing on overflow.
std::optional<std::int64_t> span_of(TensorExtent const& extent) {
    std::int64_t last = 0;
    for (int i = 0; i < extent.shape.rank(); ++i) {
        std::int64_t reach = 0;
        if (extent.strides[i] < 0 || __builtin_mul_overflow(extent.shape[i] - 1, extent.strides[i], &reach))
            return std::nullopt;
        if (__builtin_add_overflow(last, reach, &last)) return std::nullopt;
    }
    if (__builtin_add_overflow(last, std::int64_t{1}, &last)) return std::nullopt;
    return last;
}

LocatedTensor wrong(std::string text) {
    return {std::nullopt, std::move(text)};
}

}  // namespace

LocatedTensor locate(TensorExtent const& extent, ByteSpan storage) {
    auto const what = [&] {
        return fmt::format("of shape {}, strides {}, offset {} and type {}", extent.shape.str(), extent.strides.str(),
                           extent.offset, name_of(extent.dtype));
    };
    auto const elements = storage.size() / size_of(extent.dtype);
    auto const count = sane_count(extent.shape);
    if (extent.strides.rank() != extent.shape.rank()) return wrong(what() + " has not one stride per dimension");
    if (!count || extent.offset < 0) return wrong(what() + " has impossible extents");
    if (*count == 0)
        return {ConstTensorView{storage.data(), extent.dtype, extent.shape, extent.shape.contiguous_strides()}, {}};
    auto const span = span_of(extent);
    if (!span || !lies_inside(extent.offset, *span, elements)) {
        return wrong(
            fmt::format("{} leaves its storage of {} elements; download or copy the file again", what(), elements));
    }
    // A stride of 0 repeats elements: let no file of some bytes ask for terabytes.
    constexpr std::uint64_t kMostRepeated = std::uint64_t{1} << 24;
    if (static_cast<std::uint64_t>(*count) > std::max<std::uint64_t>(elements, kMostRepeated)) {
        return wrong(what() + " repeats the same elements millions of times; make it contiguous and save again");
    }
    auto const begin = static_cast<std::size_t>(extent.offset) * size_of(extent.dtype);
    return {ConstTensorView{storage.data() + begin, extent.dtype, extent.shape, extent.strides}, {}};
}

std::optional<std::int64_t> sane_count(Shape const& shape) {
    Shape at_least_one = shape;
    bool empty = false;
    for (int i = 0; i < shape.rank(); ++i) {
        if (shape[i] < 0) return std::nullopt;
        empty = empty || shape[i] == 0;
        at_least_one[i] = std::max(shape[i], std::int64_t{1});
    }
    auto const count = at_least_one.checked_count();
    return count && empty ? 0 : count;
}

Shape fortran_strides(Shape const& shape) {
    Shape strides = shape;
    std::int64_t step = 1;
    for (int i = 0; i < shape.rank(); ++i) {
        strides[i] = step;
        step *= shape[i];
    }
    return strides;
}

}  // namespace vitrum
