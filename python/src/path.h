// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/stl/filesystem.h>

#include <filesystem>
#include <utility>

namespace vitrum::python {

/// A path as an argument. nanobind's own type is a PathLike of anything, which strict type checkers refuse.
struct Path {
    std::filesystem::path value;
};

}  // namespace vitrum::python

template <>
struct nanobind::detail::type_caster<vitrum::python::Path> {
    NB_TYPE_CASTER(vitrum::python::Path, const_name("str | os.PathLike[str]"))

    bool from_python(handle source, std::uint32_t flags, cleanup_list* cleanup) noexcept {
        make_caster<std::filesystem::path> path;
        if (!path.from_python(source, flags, cleanup)) return false;
        value.value = std::move(path.value);
        return true;
    }
};
