// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vips/vips.h>

#include <memory>
#include <string>
#include <string_view>

namespace vitrum::image {

struct Unref {
    void operator()(void* object) const noexcept { g_object_unref(object); }
};

template <class T>
using VipsHandle = std::unique_ptr<T, Unref>;

using VipsPicture = VipsHandle<VipsImage>;

/// Starts libvips once, at first need, with no cache of operations and no chatter on stderr.
void start_vips();

/// Takes what libvips said since the last call, as one line. The buffer is one for the whole process, so that
/// two pictures that fail at the same instant may find both texts in one of the errors.
[[nodiscard]] std::string take_vips_error();

/// Runs one libvips call that stores its result through a VipsImage**; null where it failed.
template <class Call>
[[nodiscard]] VipsPicture make_picture(Call const& call) {
    VipsImage* result = nullptr;
    if (call(&result) != 0) {
        if (result != nullptr) g_object_unref(result);
        return nullptr;
    }
    return VipsPicture(result);
}

}  // namespace vitrum::image
