// SPDX-License-Identifier: Apache-2.0
#include "memory_checkpoint.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "base/check.h"

namespace vitrum {
namespace {

DType dtype_of(ElementType type) {
    switch (type) {
        case ElementType::f32: return DType::f32;
        case ElementType::f16: return DType::f16;
        case ElementType::bf16: return DType::bf16;
        case ElementType::f64: return DType::f64;
        case ElementType::i8: return DType::i8;
        case ElementType::u8: return DType::u8;
        case ElementType::i16: return DType::i16;
        case ElementType::i32: return DType::i32;
        case ElementType::i64: return DType::i64;
        case ElementType::boolean: return DType::boolean;
    }
    VITRUM_ASSERT(false);
}

ConstTensorView view_of(MemoryTensor const& tensor, std::string const& owner_name) {
    auto const refuse = [&](std::string const& why) {
        fail_as(ErrorKind::usage, "{}: the tensor \"{}\" [{}] {}", owner_name, tensor.name,
                fmt::join(tensor.shape, ", "), why);
    };
    if (tensor.shape.size() > Shape::kMaxRank) refuse(fmt::format("has more than {} dimensions", Shape::kMaxRank));
    Shape const shape(tensor.shape);
    auto const count = shape.checked_count();
    if (!count) refuse("has a negative or absurd size");
    if (*count > 0 && tensor.data == nullptr) refuse("has no data");
    if (tensor.strides.empty()) {
        return {static_cast<std::byte const*>(tensor.data), dtype_of(tensor.type), shape, shape.contiguous_strides()};
    }
    bool const sane = tensor.strides.size() == tensor.shape.size() &&
                      std::ranges::all_of(tensor.strides, [](std::int64_t stride) { return stride >= 0; });
    if (!sane) refuse("has strides that are negative, or not one for each dimension");
    return {static_cast<std::byte const*>(tensor.data), dtype_of(tensor.type), shape, Shape(tensor.strides)};
}

}  // namespace

Checkpoint checkpoint_of(MemoryCheckpoint const& weights) {
    Checkpoint checkpoint;
    checkpoint.path = weights.name;
    checkpoint.format = weights.format;
    checkpoint.storage = weights.owner;
    checkpoint.tensors.reserve(weights.tensors.size());
    for (MemoryTensor const& tensor : weights.tensors) {
        checkpoint.tensors.push_back({tensor.name, view_of(tensor, weights.name)});
    }
    refuse_repeated_names(checkpoint);
    if (!weights.config.empty()) checkpoint.config = parse_settings(weights.config, weights.name + ": config.json");
    if (!weights.preprocessor.empty()) {
        checkpoint.preprocessor = parse_settings(weights.preprocessor, weights.name + ": preprocessor_config.json");
    }
    return checkpoint;
}

}  // namespace vitrum
