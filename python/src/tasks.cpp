// SPDX-License-Identifier: Apache-2.0
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>

#include "arrays.h"
#include "bindings.h"
#include "engine.h"
#include "errors.h"
#include "path.h"
#include "pictures.h"
#include "vitrum/restore.h"
#include "vitrum/segment.h"
#include "vitrum/spectral.h"

namespace vitrum::python {
namespace {

Image run_restore(PyEngine& self, Image const& picture, int tile, int tile_overlap, std::uint64_t memory,
                  bool approximate) {
    return compute_on(self, [&](PreparedSession& prepared, Progress const& progress) {
        return restore(prepared.session(), picture, {tile, tile_overlap, memory, progress, approximate}).image;
    });
}

SpectralOptions spectral_options(std::string const& normalise, bool clip, int tile, int tile_overlap,
                                 std::uint64_t memory, bool approximate) {
    if (normalise != "original" && normalise != "none") {
        refuse("normalise=\"" + normalise + "\": expected original or none");
    }
    SpectralOptions options;
    options.normalisation = normalise == "original" ? Normalisation::original : Normalisation::none;
    options.clip = clip;
    options.tile = tile;
    options.tile_overlap = tile_overlap;
    options.memory_bytes = memory;
    options.approximate = approximate;
    return options;
}

Cube run_spectral(PyEngine& self, Image const& picture, std::string const& normalise, bool clip, int tile,
                  int tile_overlap, std::uint64_t memory, bool approximate) {
    auto options = spectral_options(normalise, clip, tile, tile_overlap, memory, approximate);
    return compute_on(self, [&](PreparedSession& prepared, Progress const& progress) {
        options.progress = progress;
        return spectral(prepared.session(), picture, options).cube;
    });
}

/// Python's Measurement: from a file or an array.
Measurement measurement_from_array(nb::handle object, std::string const& name) {
    TensorInfo info{.name = name, .shape = {}, .as_stated = true};
    Input const input = import_from_anywhere(object, info);
    auto const& a = input.array;
    if (a.ndim() != 2 && a.ndim() != 3) refuse(name + ": " + shape_text(a) + "; expected [H, W] or [H, W, bands]");
    info.shape.assign(a.shape_ptr(), a.shape_ptr() + a.ndim());
    Measurement measurement{name, info.shape, {}, false};
    measurement.values.resize(a.size());
    fill(std::as_writable_bytes(std::span(measurement.values)), input, info);
    return measurement;
}

Cube run_snapshot(PyEngine& self, Measurement const& snapshot, Measurement const& mask, std::string const& normalise,
                  bool clip, std::uint64_t memory) {
    auto options = spectral_options(normalise, clip, -1, -1, memory, false);
    return compute_on(self, [&](PreparedSession& prepared, Progress const& progress) {
        options.progress = progress;
        return spectral(prepared.session(), snapshot, mask, options).cube;
    });
}

Segmentation kind_of(std::string const& name, ClassList const& classes) {
    if (name == "auto") return default_segmentation(classes);
    for (auto const kind : {Segmentation::panoptic, Segmentation::instance, Segmentation::semantic}) {
        if (name == vitrum::name_of(kind)) return kind;
    }
    refuse("kind=\"" + name + "\": expected auto, panoptic, instance or semantic");
}

SegmentRules rules_of(std::string const& name) {
    if (name == "original") return SegmentRules::original;
    if (name == "hugging-face") return SegmentRules::hugging_face;
    refuse("rules=\"" + name + "\": expected original or hugging-face");
}

SegmentReport run_segment(PyEngine& self, Image const& picture, std::string const& kind, std::string const& classes,
                          std::string const& rules, std::optional<double> threshold, double overlap_threshold,
                          int top_k, std::optional<int> short_edge, std::optional<int> long_edge, std::uint64_t memory,
                          int tile, int tile_overlap, bool approximate) {
    SegmentOptions options;
    options.classes = choose_classes(self.engine(), classes);
    options.kind = kind_of(kind, options.classes);
    options.rules = rules_of(rules);
    options.threshold = threshold;
    options.overlap_threshold = overlap_threshold;
    options.top_k = top_k;
    options.short_edge = short_edge;
    options.long_edge = long_edge;
    options.memory_bytes = memory;
    options.tile = tile;
    options.tile_overlap = tile_overlap;
    options.approximate = approximate;
    return compute_on(self, [&](PreparedSession& prepared, Progress const& progress) {
        options.progress = progress;
        return segment(prepared.session(), picture, options);
    });
}

using MaskArray = nb::ndarray<nb::numpy, bool, nb::ndim<2>>;

/// The pixels of one segment: from run lengths down the columns, or from the labels.
MaskArray mask_of(SegmentReport const& report, std::size_t index) {
    if (index >= report.segments.size()) throw nb::index_error("no such segment");
    Segment const& segment = report.segments[index];
    auto const height = static_cast<std::size_t>(report.height), width = static_cast<std::size_t>(report.width);
    auto memory = std::make_unique<bool[]>(height * width);
    if (report.kind == Segmentation::instance) {
        std::size_t at = 0;
        bool inside = false;
        for (std::uint32_t const run : segment.runs) {
            for (std::size_t end = at + run; at < end; ++at) memory[at % height * width + at / height] = inside;
            inside = !inside;
        }
    } else {
        int const label = report.kind == Segmentation::semantic ? segment.class_index : segment.id;
        std::ranges::transform(report.labels, memory.get(), [&](std::uint16_t value) { return value == label; });
    }
    bool* const data = memory.release();
    nb::capsule const owner(data, [](void* p) noexcept { delete[] static_cast<bool*>(p); });
    return MaskArray(data, {height, width}, owner);
}

using LabelArray = nb::ndarray<nb::numpy, std::uint16_t, nb::ndim<2>>;

void bind_segments(nb::module_& m) {
    nb::class_<Segment>(m, "Segment", "One thing, or one kind of stuff.")
        .def_ro("id", &Segment::id, "its value in Segments.labels; of an instance its rank, from 1")
        .def_ro("class_index", &Segment::class_index, "into Segments.class_names")
        .def_ro("score", &Segment::score, "0 for semantic segmentation")
        .def_ro("area", &Segment::area, "in pixels")
        .def_prop_ro(
            "box", [](Segment const& s) { return std::make_tuple(s.box.x, s.box.y, s.box.width, s.box.height); },
            "x, y, width and height");
    nb::class_<SegmentReport>(m, "Segments", "What a picture shows.")
        .def_prop_ro(
            "kind", [](SegmentReport const& r) { return std::string(vitrum::name_of(r.kind)); },
            "panoptic, instance or semantic")
        .def_prop_ro("class_names",
                     [](SegmentReport const& r) {
                         std::vector<std::string> names;
                         for (ClassInfo const& c : r.classes.classes) names.push_back(c.name);
                         return names;
                     })
        .def_prop_ro(
            "labels",
            [](SegmentReport& r) -> std::optional<LabelArray> {
                if (r.labels.empty()) return std::nullopt;
                return LabelArray(r.labels.data(),
                                  {static_cast<std::size_t>(r.height), static_cast<std::size_t>(r.width)});
            },
            nb::rv_policy::reference_internal,
            "uint16 [height, width]: the segment's id, 0 for none (panoptic), or the class index (semantic); None for "
            "instances, which may overlap")
        .def_ro("segments", &SegmentReport::segments)
        .def("mask", mask_of, "index"_a, "The pixels of segments[index], bool [height, width].")
        .def("__len__", [](SegmentReport const& r) { return r.segments.size(); });
}

}  // namespace

void bind_tasks(nb::module_& m) {
    bind_segments(m);
    nb::class_<Measurement>(m, "Measurement", "Numbers from a file or an array.")
        .def_static(
            "load", [](Path const& path) { return load_measurement(path.value); }, "path"_a,
            nb::call_guard<nb::gil_scoped_release>())
        .def_static("from_array", measurement_from_array, "array"_a.none(), "name"_a,
                    nb::sig("def from_array(array: typing.Any, name: str) -> Measurement"));
    m.def("restore", run_restore, "engine"_a, "picture"_a, nb::kw_only(), "tile"_a, "tile_overlap"_a, "memory"_a,
          "approximate"_a);
    m.def("spectral", run_spectral, "engine"_a, "picture"_a, nb::kw_only(), "normalise"_a, "clip"_a, "tile"_a,
          "tile_overlap"_a, "memory"_a, "approximate"_a);
    m.def("snapshot", run_snapshot, "engine"_a, "snapshot"_a, "mask"_a, nb::kw_only(), "normalise"_a, "clip"_a,
          "memory"_a);
    m.def(
        "takes_snapshot", [](PyEngine const& e) { return takes_snapshot(e.engine()); }, "engine"_a);
    m.def("segment", run_segment, "engine"_a, "picture"_a, nb::kw_only(), "kind"_a, "classes"_a, "rules"_a,
          "threshold"_a.none(), "overlap_threshold"_a, "top_k"_a, "short_edge"_a.none(), "long_edge"_a.none(),
          "memory"_a, "tile"_a, "tile_overlap"_a, "approximate"_a);
}

}  // namespace vitrum::python
