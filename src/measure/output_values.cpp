// SPDX-License-Identifier: Apache-2.0
#include "output_values.h"

#include "base/tensor_view.h"

namespace vitrum {

std::vector<float> output_values(Session const& session, TensorInfo const& info, std::size_t index) {
    constexpr DType kTypes[] = {DType::f32, DType::f16, DType::bf16,    DType::f64, DType::i8,  DType::u8, DType::i16,
                                DType::i32, DType::i64, DType::boolean, DType::u16, DType::u32, DType::u64};
    auto const bytes = session.output_bytes(index);
    for (DType const type : kTypes) {
        if (name_of(type) != info.dtype) continue;
        std::vector<float> values(bytes.size() / size_of(type));
        Shape const flat{std::ssize(values)};
        copy_to_f32({bytes.data(), type, flat, {1}}, values.data());
        return values;
    }
    return {};
}

}  // namespace vitrum
