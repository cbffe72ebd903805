// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <list>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/check.h"
#include "colours.h"
#include "vitrum/segment.h"

namespace vitrum {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

/// COCO's image ids are the numbers that its files are named by.
Json image_id(std::string const& picture_name) {
    std::string const stem = fs::path(picture_name).stem().string();
    constexpr std::size_t kMostDigits = 18;
    bool const is_number = !stem.empty() && stem.size() <= kMostDigits &&
                           std::ranges::all_of(stem, [](char c) { return c >= '0' && c <= '9'; });
    return is_number ? Json(std::stoll(stem)) : Json(stem);
}

/// Six digits are what float32 scores hold.
double rounded(double score) {
    return std::round(score * 1e6) / 1e6;
}

Json bbox(Box const& box) {
    return {box.x, box.y, box.width, box.height};
}

Json panoptic_json(SegmentReport const& report, std::string const& picture_name, std::string const& labels_name) {
    Json segments = Json::array(), categories = Json::array();
    for (Segment const& segment : report.segments) {
        ClassInfo const& c = report.classes.classes[static_cast<std::size_t>(segment.class_index)];
        segments.push_back({{"id", segment.id},
                            {"category_id", c.category_id},
                            {"isthing", c.is_thing ? 1 : 0},
                            {"area", segment.area},
                            {"bbox", bbox(segment.box)},
                            {"iscrowd", 0},
                            {"score", rounded(segment.score)}});
    }
    for (ClassInfo const& c : report.classes.classes) {
        categories.push_back({{"id", c.category_id}, {"name", c.name}, {"isthing", c.is_thing ? 1 : 0}});
    }
    Json const id = image_id(picture_name);
    return {
        {"images",
         Json::array({{{"id", id}, {"file_name", picture_name}, {"width", report.width}, {"height", report.height}}})},
        {"annotations", Json::array({{{"image_id", id}, {"file_name", labels_name}, {"segments_info", segments}}})},
        {"categories", categories}};
}

Json instances_json(SegmentReport const& report, std::string const& picture_name) {
    Json results = Json::array();
    for (Segment const& segment : report.segments) {
        ClassInfo const& c = report.classes.classes[static_cast<std::size_t>(segment.class_index)];
        results.push_back(
            {{"image_id", image_id(picture_name)},
             {"category_id", c.category_id},
             {"category_name", c.name},
             {"score", rounded(segment.score)},
             {"bbox", bbox(segment.box)},
             {"area", segment.area},
             {"segmentation", {{"size", {report.height, report.width}}, {"counts", coco_counts(segment.runs)}}}});
    }
    return results;
}

Json classes_json(SegmentReport const& report, std::string const& picture_name, std::string const& labels_name) {
    Json classes = Json::array();
    for (Segment const& segment : report.segments) {
        ClassInfo const& c = report.classes.classes[static_cast<std::size_t>(segment.class_index)];
        classes.push_back({{"label", segment.id},
                           {"category_id", c.category_id},
                           {"name", c.name},
                           {"area", segment.area},
                           {"bbox", bbox(segment.box)}});
    }
    return {{"image_id", image_id(picture_name)}, {"file_name", labels_name}, {"classes", classes}};
}

/// COCO's panoptic colours: id = R + 256·G + 65536·B.
std::vector<std::byte> panoptic_png(SegmentReport const& report, SaveOptions const& options) {
    Image image(report.width, report.height, 3, SampleType::u8);
    auto* to = image.row<std::uint8_t>(0);
    for (std::uint16_t const id : report.labels) {
        *to++ = static_cast<std::uint8_t>(id & 0xFFU);
        *to++ = static_cast<std::uint8_t>(id >> 8U);
        *to++ = 0;
    }
    return encode_image(image, ImageFormat::png, options);
}

std::vector<std::byte> semantic_png(SegmentReport const& report, SaveOptions const& options) {
    constexpr std::size_t kPalette = 256;
    if (report.classes.classes.size() > kPalette) {
        Image image(report.width, report.height, 1, SampleType::u16);
        std::ranges::copy(report.labels, image.row<std::uint16_t>(0));
        return encode_image(image, ImageFormat::png, options);
    }
    Image image(report.width, report.height, 1, SampleType::u8);
    std::ranges::transform(report.labels, image.row<std::uint8_t>(0),
                           [](std::uint16_t label) { return static_cast<std::uint8_t>(label); });
    return encode_palette_png(image, class_colours(report.classes.classes.size()), options);
}

std::vector<std::byte> bytes_of(std::string const& text) {
    auto const bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

}  // namespace

std::string segments_json(SegmentReport const& report, std::string const& picture_name,
                          std::string const& labels_name) {
    Json const json = report.kind == Segmentation::panoptic   ? panoptic_json(report, picture_name, labels_name)
                      : report.kind == Segmentation::instance ? instances_json(report, picture_name)
                                                              : classes_json(report, picture_name, labels_name);
    // File names that are no UTF-8 get replacement letters.
    return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

bool save_segments(SegmentReport const& report, Image const& picture, std::string const& picture_name,
                   SegmentFiles const& files, SaveOptions const& options, double min_score) {
    std::vector<std::pair<fs::path, std::vector<std::byte>>> contents;
    bool has_text = true;
    if (!files.labels.empty() && report.kind == Segmentation::instance) {
        fail_as(ErrorKind::usage, "{}: instances may overlap, so there is no picture of their numbers",
                files.labels.string());
    }
    if (!files.overlay.empty()) {
        ImageFormat const format = format_of_path(files.overlay);
        contents.emplace_back(files.overlay,
                              encode_image(draw_overlay(report, picture, min_score, &has_text), format, options));
    }
    if (!files.json.empty()) {
        contents.emplace_back(files.json,
                              bytes_of(segments_json(report, picture_name, files.labels.filename().string())));
    }
    if (!files.labels.empty()) {
        bool const panoptic = report.kind == Segmentation::panoptic;
        contents.emplace_back(files.labels, panoptic ? panoptic_png(report, options) : semantic_png(report, options));
    }
    // All are complete on the disk before the first one gets its name.
    std::list<AtomicFile> written;
    for (auto const& [path, bytes] : contents) written.emplace_back(path).write(bytes);
    for (AtomicFile& file : written) file.commit();
    return has_text;
}

}  // namespace vitrum
