// SPDX-License-Identifier: Apache-2.0
#include "noise.h"

#include <algorithm>
#include <random>

namespace vitrum {

void fill_with_noise(Session& session, Sizes const& sizes) {
    std::minstd_rand random(1);
    double const range = session.engine().info().value_range;
    float const step = static_cast<float>(range / static_cast<double>(std::minstd_rand::max()));
    auto const inputs = session.engine().inputs(sizes);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (inputs[i].dtype != "float32") {  // indices and masks of ONNX graphs: zeros are legal everywhere
            std::ranges::fill(session.input_bytes(i), std::byte{0});
            continue;
        }
        for (float& value : session.input(i)) value = static_cast<float>(random()) * step;
    }
}

}  // namespace vitrum
