// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace vitrum {

void assertion_failed(char const* condition, char const* file, int line) {
    std::fprintf(stderr, "vitrum: internal error: %s (%s:%d); please report it\n", condition, file, line);
    std::abort();
}

}  // namespace vitrum
