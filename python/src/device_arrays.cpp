// SPDX-License-Identifier: Apache-2.0
#include "device_arrays.h"

#include <algorithm>

#include "errors.h"

namespace vitrum::python {
namespace {

bool is_packed(nb::ndarray<nb::ro> const& array) {
    if (array.size() == 0) return true;
    std::int64_t inside = 1;
    for (std::size_t i = array.ndim(); i-- > 0; inside *= static_cast<std::int64_t>(array.shape(i))) {
        if (array.shape(i) != 1 && array.stride(i) != inside) return false;
    }
    return true;
}

/// Planes of pictures, or rows of queries.
std::vector<std::int64_t> packed_strides(TensorInfo const& info) {
    if (info.as_stated) return {};
    std::int64_t const h = info.shape[1], w = info.shape[2], c = info.shape[3];
    if (info.queries) return {w * c, 0, c, 1};
    return {c * h * w, w, 1, h * w};
}

/// What an ONNX file states has any rank, so that only the elements' order tells where they are.
void pack(Input& input, TensorInfo const& info) {
    if (is_packed(input.array)) return;
    if (input.framework != Framework::torch) {
        refuse(info.name + ": the array's elements do not lie one after the other; pass a contiguous copy");
    }
    input.object = input.object.attr("contiguous")();
    input.array = nb::cast<nb::ndarray<nb::ro>>(exported_tensor(input.object));
}

}  // namespace

DeviceTensor device_tensor(Input& input, TensorInfo const& info) {
    check_shape(input, info);
    DeviceTensor tensor;
    tensor.dtype = dtype_text(input.array.dtype());
    if (info.as_stated) {
        pack(input, info);
    } else {
        Planes const planes = planes_of(input, info);
        tensor.strides = {planes.n_stride, planes.h_stride, planes.w_stride, planes.c_stride};
    }
    // Arrays that are only read have no type of their own here.
    tensor.data = static_cast<std::byte*>(
        const_cast<void*>(input.array.data()));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    return tensor;
}

DeviceOutput::DeviceOutput(Engine const& engine, TensorInfo const& info, Element element, Input const& like)
    : shape_(framework_shape(info)) {
    tensor_.dtype = info.dtype == "float32" ? std::string(name_of(element)) : info.dtype;
    tensor_.strides = packed_strides(info);
    if (like.framework == Framework::torch) {
        of_torch_ = empty_tensor(shape_, tensor_.dtype, like.object);
        tensor_.data = reinterpret_cast<std::byte*>(nb::cast<std::uintptr_t>(of_torch_.attr("data_ptr")()));
        return;
    }
    std::size_t bytes = dtype_named(tensor_.dtype).bits / 8;
    for (std::int64_t const extent : shape_) bytes *= static_cast<std::size_t>(extent);
    memory_ = engine.allocate(bytes);
    tensor_.data = memory_.get();
}

nb::object DeviceOutput::release(Input const& like) {
    if (of_torch_.is_valid()) return std::move(of_torch_);
    auto* const kept = new std::shared_ptr<std::byte>(std::move(memory_));
    nb::capsule const owner(kept, [](void* held) noexcept { delete static_cast<std::shared_ptr<std::byte>*>(held); });
    return array_of(tensor_.data, {shape_.begin(), shape_.end()}, owner, dtype_named(tensor_.dtype), like);
}

}  // namespace vitrum::python
