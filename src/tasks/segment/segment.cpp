// SPDX-License-Identifier: Apache-2.0
#include "vitrum/segment.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "image/convert.h"
#include "image/resize.h"
#include "tasks/memory_budget.h"
#include "tasks/segment/geometry.h"
#include "tasks/segment/instance.h"
#include "tasks/segment/panoptic.h"
#include "tasks/segment/semantic.h"
#include "tasks/segment/tiles.h"

namespace vitrum {
namespace {

/// Where the two outputs are among a network's.
struct Outputs {
    std::size_t logits = 0, masks = 0;
    std::vector<std::int64_t> logits_shape, masks_shape;
};

Outputs find_outputs(Engine const& engine, Sizes const& sizes) {
    auto const outputs = engine.outputs(sizes);
    auto const find = [&](std::string_view name) {
        auto const found = std::ranges::find(outputs, name, &TensorInfo::name);
        if (engine.info().kind == Task::segment && found != outputs.end()) {
            return static_cast<std::size_t>(found - outputs.begin());
        }
        fail_as(ErrorKind::usage, "{} does not segment pictures", engine.info().variant);
    };
    Outputs places{find("output_logits"), find("output_masks"), {}, {}};
    places.logits_shape = outputs[places.logits].shape;
    places.masks_shape = outputs[places.masks].shape;
    return places;
}

void check_options(SegmentOptions const& options, int classes) {
    auto const refuse_unless = [](bool fine, std::string const& text) {
        if (!fine) fail_as(ErrorKind::usage, "{}", text);
    };
    constexpr int kMostLabels = std::numeric_limits<std::uint16_t>::max();
    refuse_unless(classes < kMostLabels, fmt::format("{} classes are more than 16 bits can number", classes));
    refuse_unless(
        options.classes.classes.empty() || options.classes.classes.size() == static_cast<std::size_t>(classes),
        fmt::format("the list {} has {} classes, but the model tells {} apart", options.classes.name,
                    options.classes.classes.size(), classes));
    auto const is_share = [](double value) { return value >= 0 && value <= 1; };
    refuse_unless(is_share(options.threshold.value_or(0)),
                  fmt::format("a threshold of {} is outside 0…1", options.threshold.value_or(0)));
    refuse_unless(is_share(options.overlap_threshold),
                  fmt::format("an overlap threshold of {} is outside 0…1", options.overlap_threshold));
    refuse_unless(options.top_k > 0, fmt::format("the best {} instances are none; ask for 1 or more", options.top_k));
    constexpr int kMostPixels = 1 << 20;
    int const short_edge = options.short_edge.value_or(0), long_edge = options.long_edge.value_or(kMostPixels);
    refuse_unless(short_edge >= 0 && short_edge <= kMostPixels && long_edge > 0 && long_edge <= kMostPixels,
                  fmt::format("no picture is resized to {} and at most {} pixels", short_edge, long_edge));
}

SegmentGeometry geometry_of(Image const& picture, SegmentOptions const& options, SegmentationInfo const& info) {
    Extent const size{picture.height(), picture.width()};
    bool const by_hugging_face = options.rules == SegmentRules::hugging_face;
    if (by_hugging_face && !options.short_edge && info.height > 0) {
        auto const padded = [](int side) { return (side + std::int64_t{31}) / 32 * 32; };
        Extent const fixed{padded(info.height), padded(info.width)};
        return {size, fixed, fixed};
    }
    int const short_edge = options.short_edge.value_or(by_hugging_face ? info.short_edge : 800);
    return plan_geometry(size, options.rules, short_edge,
                         options.long_edge.value_or(by_hugging_face ? info.long_edge : 1333));
}

void check_memory(Session const& session, SegmentGeometry const& geometry, std::uint64_t limit) {
    auto const [h, w] = geometry.network;
    // The labels, and the picture resized on its way in.
    auto const around = static_cast<std::uint64_t>(geometry.picture.h * geometry.picture.w * 2 + h * w * 3);
    auto const budget = activation_budget(session, around, limit);
    auto const needed = session.engine().arena_bytes({1, h, w});
    if (!budget || needed <= *budget) return;
    fail_as(ErrorKind::out_of_memory, "a network input of {}×{} needs {:.0f} MiB, but {}, or resize to less (--resize)",
            w, h, static_cast<double>(needed) / 0x1p20, too_little_memory(session, *budget));
}

/// RGB of 0…255 less the mean, by the deviation; zero in the padding.
void fill_input(Image const& picture, SegmentGeometry const& geometry, SegmentationInfo const& info,
                std::span<float> input) {
    Image const rgb = convert_channels(convert_samples(picture, SampleType::u8), 3);
    Image const resized = resize_bilinear(rgb, geometry.resized.w, geometry.resized.h);
    std::ranges::fill(input, 0.0F);
    for (std::int64_t y = 0; y < geometry.resized.h; ++y) {
        auto const* from = resized.row<std::uint8_t>(y);
        float* to = input.data() + y * geometry.network.w * 3;
        for (std::int64_t x = 0; x < geometry.resized.w; ++x) {
            for (std::size_t c = 0; c < 3; ++c) {
                *to++ = (static_cast<float>(*from++) - info.pixel_mean[c]) / info.pixel_std[c];
            }
        }
    }
}

void check_finite(NetworkAnswer const& answer) {
    auto const bad = [](float value) { return !std::isfinite(value); };
    auto const count = std::ranges::count_if(answer.class_logits, bad) + std::ranges::count_if(answer.mask_logits, bad);
    if (count == 0) return;
    fail_as(ErrorKind::accuracy,
            "the network's outputs hold {} NaN or infinite values; nothing was written, check the weights with `vitrum "
            "verify`",
            count);
}

std::vector<bool> by_class(ClassList const& list, bool ClassInfo::*property, bool value) {
    std::vector<bool> flags;
    for (ClassInfo const& c : list.classes) flags.push_back(c.*property == value);
    return flags;
}

/// One segment per class that occurs.
std::vector<Segment> classes_in(std::span<std::uint16_t const> labels, std::int64_t width, std::size_t classes) {
    std::vector<Segment> segments(classes);
    for (std::size_t i = 0; i < classes; ++i) segments[i].id = segments[i].class_index = static_cast<int>(i);
    measure(labels, width, segments);
    std::erase_if(segments, [](Segment const& segment) { return segment.area == 0; });
    return segments;
}

void find_segments(NetworkAnswer const& answer, SegmentGeometry const& geometry, SegmentOptions const& options,
                   ThreadPool& threads, SegmentReport& report) {
    bool const original = options.rules == SegmentRules::original;
    ClassList const& classes = report.classes;
    switch (options.kind) {
        case Segmentation::panoptic: {
            // Hugging Face's library joins nothing unless told which classes.
            auto joins =
                original ? by_class(classes, &ClassInfo::is_thing, false) : std::vector<bool>(classes.classes.size());
            PanopticRules const rules{options.rules, options.threshold.value_or(original ? 0.8 : 0.5),
                                      options.overlap_threshold, std::move(joins)};
            PanopticMap map = panoptic_map(answer, geometry, rules, threads);
            report.labels = std::move(map.labels);
            report.segments = std::move(map.segments);
            measure(report.labels, report.width, report.segments);
            break;
        }
        case Segmentation::instance: {
            auto keeps = original ? by_class(classes, &ClassInfo::is_thing, true)
                                  : std::vector<bool>(classes.classes.size(), true);
            InstanceRules const rules{options.rules, options.threshold.value_or(original ? 0.0 : 0.5), options.top_k,
                                      std::move(keeps)};
            report.segments = find_instances(answer, geometry, rules, threads);
            break;
        }
        case Segmentation::semantic:
            report.labels = semantic_map(answer, geometry, options.rules, threads);
            report.segments = classes_in(report.labels, report.width, classes.classes.size());
            break;
    }
}

/// The picture as it is given, at once.
SegmentReport segment_whole(Session& session, Image const& picture, SegmentOptions const& options,
                            ClassList const& classes, Progress const& progress) {
    Engine const& engine = session.engine();
    SegmentReport report;
    report.kind = options.kind;
    report.classes = classes;
    report.width = picture.width();
    report.height = picture.height();

    SegmentationInfo const& info = engine.info().segmentation;
    SegmentGeometry const geometry = geometry_of(picture, options, info);
    report.network_height = geometry.network.h;
    report.network_width = geometry.network.w;
    check_memory(session, geometry, options.memory_bytes);
    Sizes const sizes{1, geometry.network.h, geometry.network.w};
    session.prepare(sizes);
    fill_input(picture, geometry, info, session.input());
    session.run_checked(progress);

    Outputs const outputs = find_outputs(engine, sizes);
    NetworkAnswer const answer{session.output(outputs.logits),
                               session.output(outputs.masks),
                               outputs.logits_shape[2],
                               outputs.logits_shape[3] - 1,
                               {outputs.masks_shape[1], outputs.masks_shape[2]}};
    check_finite(answer);
    ThreadPool threads(engine.options().threads);
    find_segments(answer, geometry, options, threads, report);
    return report;
}

}  // namespace

std::string_view name_of(Segmentation kind) {
    switch (kind) {
        case Segmentation::panoptic: return "panoptic";
        case Segmentation::instance: return "instance";
        case Segmentation::semantic: break;
    }
    return "semantic";
}

int class_count(Engine const& engine) {
    constexpr Sizes kAny{1, 32, 32};
    return static_cast<int>(find_outputs(engine, kAny).logits_shape.back()) - 1;
}

SegmentReport segment(Session& session, Image const& picture, SegmentOptions const& options) {
    auto const start = std::chrono::steady_clock::now();
    if (picture.empty()) fail_as(ErrorKind::usage, "the picture is empty");
    Engine const& engine = session.engine();
    check_options(options, class_count(engine));
    ClassList const classes = options.classes.classes.empty() ? choose_classes(engine) : options.classes;
    auto const run = [&](Image const& part, Progress const& progress) {
        return segment_whole(session, part, options, classes, progress);
    };
    bool const in_tiles = options.tile > 0 && options.tile < std::max(picture.width(), picture.height());
    Reruns const before = session.reruns();
    SegmentReport report = in_tiles ? segment_in_tiles(picture, options, classes, run) : run(picture, options.progress);
    if (in_tiles && options.kind == Segmentation::semantic) {
        report.segments = classes_in(report.labels, report.width, classes.classes.size());
    }
    report.classes = classes;
    report.reruns = session.reruns().since(before);
    report.compute_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return report;
}

}  // namespace vitrum
