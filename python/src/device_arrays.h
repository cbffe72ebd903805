// SPDX-License-Identifier: Apache-2.0
// Arrays on the engine's device, which it reads and writes where they are. All with the GIL.
#pragma once

#include <memory>
#include <vector>

#include "arrays.h"

namespace vitrum::python {

/// What a session reads for an input. Throws UsageError where its shape is not the tensor's, or its strides are none
/// that are taken; `input` keeps the memory.
[[nodiscard]] DeviceTensor device_tensor(Input& input, TensorInfo const& info);

/// A new array on the device for one of the engine's tensors, packed: PyTorch's own for PyTorch.
class DeviceOutput {
public:
    /// What is float32 inside becomes `element`; the rest keeps its type.
    DeviceOutput(Engine const& engine, TensorInfo const& info, Element element, Input const& like);

    [[nodiscard]] DeviceTensor const& tensor() const { return tensor_; }
    /// As an array of the framework that `like` came from, and once only. Others than PyTorch have to find it written.
    [[nodiscard]] nb::object release(Input const& like);

private:
    DeviceTensor tensor_;
    std::vector<std::int64_t> shape_;
    nb::object of_torch_;
    std::shared_ptr<std::byte> memory_;  ///< for other frameworks
};

}  // namespace vitrum::python
