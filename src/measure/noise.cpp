// SPDX-License-Identifier: Apache-2.0
#include "noise.h"

#include <random>

namespace vitrum {

void fill_with_noise(Session& session, Sizes const& sizes) {
    std::minstd_rand random(1);
    double const range = session.engine().info().value_range;
    float const step = static_cast<float>(range / static_cast<double>(std::minstd_rand::max()));
    for (std::size_t i = 0; i < session.engine().inputs(sizes).size(); ++i) {
        for (float& value : session.input(i)) value = static_cast<float>(random()) * step;
    }
}

}  // namespace vitrum
