// SPDX-License-Identifier: Apache-2.0
#include "ops.h"
#include "reference/backend.h"

namespace vitrum::bench {

std::vector<std::unique_ptr<Backend>> backends() {
    std::vector<std::unique_ptr<Backend>> all;
    all.push_back(make_reference_backend());
    return all;
}

}  // namespace vitrum::bench
