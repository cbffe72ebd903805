// SPDX-License-Identifier: Apache-2.0
#include "spectral_options.h"

#include "parse.h"
#include "vitrum/error.h"

namespace vitrum::cli {

void add_spectral_options(Verb const& verb, SpectralRunOptions& options) {
    auto const add = [&](char const* name, std::string& value, char const* type, char const* text) {
        return verb.option(name, value, text).value(type).group(kSpectralGroup);
    };
    add("--mask", options.mask, "FILE", "the coded aperture of a snapshot (CASSI): .npy, .mat, or a grey picture");
    add("--normalise", options.normalise, "HOW",
        "original: by the picture's least and largest sample, as the networks were trained; none: full scale is 1")
        .shows_default();
    verb.flag("--no-clip", options.no_clip, "keep values outside 0 … 1").group(kSpectralGroup);
    add("--previews", options.previews, "DIR", "also write each band as a grey PNG");
    add("--rgb", options.rgb, "FILE", "also write the cube as the eye sees it under daylight; one input only");
    verb.option("--point", options.points, "a pixel whose spectrum is wanted; may be repeated")
        .value("X,Y")
        .one_at_a_time()
        .group(kSpectralGroup);
    verb.option("--box", options.boxes, "pixels whose mean spectrum is wanted; may be repeated")
        .value("X,Y,W,H")
        .one_at_a_time()
        .group(kSpectralGroup);
    add("--spectrum", options.spectrum, "FILE", "write the spectra of --point and --box as CSV; one input only");
    add("--spectrum-plot", options.plot, "FILE", "draw them, as .svg or .png; one input only");
}

Normalisation parse_normalisation(std::string const& text) {
    if (text == "original") return Normalisation::original;
    if (text == "none") return Normalisation::none;
    throw Error("--normalise " + text + ": expected original or none", ErrorKind::usage);
}

std::vector<CubeBox> asked_boxes(SpectralRunOptions const& options) {
    std::vector<CubeBox> boxes;
    for (std::string const& text : options.points) {
        auto const n = parse_whole_numbers("--point", text, 2);
        boxes.push_back({n[0], n[1], 1, 1});
    }
    for (std::string const& text : options.boxes) {
        auto const n = parse_whole_numbers("--box", text, 4);
        boxes.push_back({n[0], n[1], n[2], n[3]});
    }
    return boxes;
}

}  // namespace vitrum::cli
