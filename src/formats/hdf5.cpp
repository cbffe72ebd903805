// SPDX-License-Identifier: Apache-2.0
#include "hdf5.h"

#include "formats/text.h"

namespace vitrum::hdf5 {
namespace {

std::mutex& library() {
    static std::mutex mutex;
    return mutex;
}

herr_t keep_innermost(unsigned, H5E_error2_t const* error, void* text) {
    if (error->desc != nullptr) *static_cast<std::string*>(text) = error->desc;
    return 0;
}

}  // namespace

Lock::Lock() : lock_(library()) {
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

std::string last_error() {
    std::string text;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep_innermost, &text);
    return text.empty() ? "no further detail" : excerpt(text);
}

}  // namespace vitrum::hdf5
