// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "backends/backend.h"

namespace vitrum::cuda {

/// `isa`: the GPU's name and compute capability, for people.
[[nodiscard]] std::unique_ptr<Backend> make_cuda_backend(int device, std::string isa);

}  // namespace vitrum::cuda
