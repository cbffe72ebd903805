// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"
#include "base/mapped_file.h"
#include "formats/array.h"
#include "image/convert.h"
#include "vitrum/spectral.h"

namespace vitrum {
namespace {

namespace fs = std::filesystem;

Measurement from_picture(std::span<std::byte const> bytes, std::string const& name) {
    Image const picture = decode_image(bytes, name);
    if (picture.channels() != 1) {
        fail_as(ErrorKind::usage, "{}: a colour picture; a snapshot or a mask is grey, a .npy or a .mat file", name);
    }
    Measurement measurement{name, {picture.height(), picture.width()}, {}, picture.type() != SampleType::f32};
    measurement.values.resize(static_cast<std::size_t>(picture.height() * picture.width()));
    colour_to_float(picture, whole(picture), 1, 1, measurement.values.data());
    return measurement;
}

struct Named {
    fs::path file;
    std::string variable;
};

/// "scene.mat:mask"; a file of that whole name comes first.
Named split(fs::path const& path) {
    std::string const text = path.string();
    auto const colon = text.rfind(".mat:");
    std::error_code error;
    if (colon == std::string::npos || fs::exists(path, error)) return {path, {}};
    return {text.substr(0, colon + 4), text.substr(colon + 5)};
}

}  // namespace

Measurement load_measurement(fs::path const& path) {
    auto const [file, variable] = split(path);
    MappedFile const mapped(file);
    if (!looks_like_array(mapped.bytes()) && variable.empty()) return from_picture(mapped.bytes(), file.string());
    Array array = read_array(mapped.bytes(), file.string(), variable);
    return {path.string(), {array.shape.begin(), array.shape.end()}, std::move(array.values), false};
}

}  // namespace vitrum
