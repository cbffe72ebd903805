// SPDX-License-Identifier: Apache-2.0
#include "cpu/backend.h"
#include "ops.h"

namespace vitrum::bench {

std::vector<std::unique_ptr<Backend>> backends() {
    std::vector<std::unique_ptr<Backend>> all;
    for (std::string const& isa : cpu_isas()) all.push_back(make_cpu_backend({.isa = isa}));
    return all;
}

}  // namespace vitrum::bench
