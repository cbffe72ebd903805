// SPDX-License-Identifier: Apache-2.0
#include "output_values.h"

#include "base/tensor_view.h"

namespace vitrum {

std::vector<float> output_values(Session const& session, TensorInfo const& info, std::size_t index) {
    auto const bytes = session.output_bytes(index);
    for (auto code = static_cast<std::uint8_t>(DType::f32); code < static_cast<std::uint8_t>(DType::text); ++code) {
        auto const type = static_cast<DType>(code);
        if (name_of(type) != info.dtype) continue;
        std::vector<float> values(bytes.size() / size_of(type));
        Shape const flat{std::ssize(values)};
        copy_to_f32({bytes.data(), type, flat, {1}}, values.data());
        return values;
    }
    return {};
}

}  // namespace vitrum
