// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include <fmt/core.h>

#include "base/check.h"
#include "colours.h"
#include "image/convert.h"
#include "image/text.h"
#include "label_places.h"
#include "tasks/segment/run_lengths.h"
#include "vitrum/segment.h"

namespace vitrum {
namespace {

/// What is drawn: for each pixel the number of a region, 0 for none.
struct Drawing {
    std::vector<std::uint16_t> regions;
    std::vector<Segment const*> segments;  ///< of region i + 1
    std::vector<Rgb> colours;              ///< likewise
};

/// Instances may overlap: the surest lie on top.
Drawing draw_instances(SegmentReport const& report, double min_score) {
    Drawing drawing;
    drawing.regions.resize(static_cast<std::size_t>(report.width * report.height));
    for (Segment const& segment : report.segments) {
        if (segment.score >= min_score) drawing.segments.push_back(&segment);
    }
    for (std::size_t i = drawing.segments.size(); i-- > 0;) {
        for_each_stretch(
            drawing.segments[i]->runs, report.height, [&](std::int64_t x, std::int64_t begin, std::int64_t end) {
                for (std::int64_t y = begin; y < end; ++y) {
                    drawing.regions[static_cast<std::size_t>(y * report.width + x)] = static_cast<std::uint16_t>(i + 1);
                }
            });
    }
    drawing.colours = distinct_colours(drawing.segments.size());
    return drawing;
}

Drawing draw_regions(SegmentReport const& report) {
    Drawing drawing;
    for (Segment const& segment : report.segments) drawing.segments.push_back(&segment);
    std::vector<std::uint16_t> region_of(std::size_t{1} << 16U);
    for (std::size_t i = 0; i < report.segments.size(); ++i) {
        region_of[static_cast<std::size_t>(report.segments[i].id)] = static_cast<std::uint16_t>(i + 1);
    }
    for (std::uint16_t const label : report.labels) drawing.regions.push_back(region_of[label]);
    if (report.kind == Segmentation::panoptic) {
        drawing.colours = distinct_colours(report.segments.size());
    } else {
        auto const palette = class_colours(report.classes.classes.size());
        for (Segment const& segment : report.segments) {
            drawing.colours.push_back(palette[static_cast<std::size_t>(segment.class_index)]);
        }
    }
    return drawing;
}

void mix(Rgb const& colour, double share, std::uint8_t* pixel) {
    for (std::size_t c = 0; c < 3; ++c) {
        double const value = colour[c] * share + pixel[c] * (1 - share);
        pixel[c] = static_cast<std::uint8_t>(std::lround(value));
    }
}

/// A wash of colour, and along the inside of each region's edge a line of it.
void paint(Drawing const& drawing, Image& image) {
    constexpr double kWash = 0.45, kLine = 0.95;
    std::int64_t const width = image.width(), height = image.height();
    std::int64_t const line = std::clamp<std::int64_t>((std::min(width, height) + 200) / 400, 1, 6);
    auto const region = [&](std::int64_t x, std::int64_t y) {
        return drawing.regions[static_cast<std::size_t>(std::clamp<std::int64_t>(y, 0, height - 1) * width +
                                                        std::clamp<std::int64_t>(x, 0, width - 1))];
    };
    for (std::int64_t y = 0; y < height; ++y) {
        auto* pixel = image.row<std::uint8_t>(y);
        for (std::int64_t x = 0; x < width; ++x, pixel += 3) {
            std::uint16_t const here = region(x, y);
            if (here == 0) continue;
            bool const at_edge = region(x - line, y) != here || region(x + line, y) != here ||
                                 region(x, y - line) != here || region(x, y + line) != here;
            mix(drawing.colours[here - std::size_t{1}], at_edge ? kLine : kWash, pixel);
        }
    }
}

/// "sky-other-merged" is "sky" to people, and "road, route" is "road".
std::string display_name(std::string const& full) {
    std::string_view name = std::string_view(full).substr(0, full.find(','));
    for (std::string_view const suffix : {"-merged", "-other", "-stuff"}) {
        if (name.ends_with(suffix)) name.remove_suffix(suffix.size());
    }
    return std::string(name);
}

/// The name, and how sure it is; of a class its share of the picture.
std::string label_text(SegmentReport const& report, Segment const& segment) {
    bool const semantic = report.kind == Segmentation::semantic;
    double const share = semantic
                             ? static_cast<double>(segment.area) / static_cast<double>(report.width * report.height)
                             : segment.score;
    std::string const name = report.classes.classes[static_cast<std::size_t>(segment.class_index)].name;
    return fmt::format("{} {:.0f}%", display_name(name), share * 100);
}

bool overlap(Box const& a, Box const& b) {
    return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/// Names in boxes, the largest regions first, each where its region is widest, none over another.
class Labels {
public:
    Labels(SegmentReport const& report, Drawing const& drawing, Image& image)
        : report_(report),
          drawing_(drawing),
          image_(image),
          letter_(static_cast<int>(std::clamp<std::int64_t>(std::min(image.width(), image.height()) / 34, 11, 64))) {}

    /// False where there is no text to be had.
    bool draw();

private:
    bool draw(std::size_t region, WidestPlace const& place);
    [[nodiscard]] bool find_room(Box& box) const;
    void fill(Box const& box, Rgb const& colour);
    void write(Image const& ink, std::int64_t x, std::int64_t y);

    SegmentReport const& report_;
    Drawing const& drawing_;
    Image& image_;
    int letter_;  ///< height of the font in pixels
    std::vector<Box> taken_;
};

bool Labels::draw() {
    std::vector<WidestPlace> places = widest_places(drawing_.regions, {report_.height, report_.width});
    places.resize(drawing_.segments.size() + 1);
    std::vector<std::size_t> order;
    // A region in which not even a letter fits goes without a name.
    for (std::size_t region = 1; region < places.size(); ++region) {
        if (places[region].reach * 3 >= letter_) order.push_back(region);
    }
    std::ranges::stable_sort(order, std::greater(), [&](std::size_t region) { return places[region].reach; });
    return std::ranges::all_of(order, [&](std::size_t region) { return draw(region, places[region]); });
}

bool Labels::draw(std::size_t region, WidestPlace const& place) {
    auto const ink = render_text(label_text(report_, *drawing_.segments[region - 1]), letter_);
    if (!ink) return false;
    std::int64_t const margin = std::max<std::int64_t>(letter_ / 3, 3);
    Box box{0, 0, ink->width() + 2 * margin, letter_ + margin};
    if (box.width > image_.width() || box.height > image_.height()) return true;
    box.x = std::clamp(place.x - box.width / 2, std::int64_t{0}, image_.width() - box.width);
    box.y = std::clamp(place.y - box.height / 2, std::int64_t{0}, image_.height() - box.height);
    if (!find_room(box)) return true;
    taken_.push_back(box);
    fill(box, drawing_.colours[region - 1]);
    write(*ink, box.x + margin, box.y + (box.height - ink->height()) / 2);
    return true;
}

/// Moves the box up or down by its own height until it is free.
bool Labels::find_room(Box& box) const {
    std::int64_t const home = box.y;
    for (int const steps : {0, 1, -1, 2, -2}) {
        box.y = home + steps * (box.height + 1);
        bool const inside = box.y >= 0 && box.y + box.height <= image_.height();
        auto const hits = [&](Box const& other) { return overlap(box, other); };
        if (inside && std::ranges::none_of(taken_, hits)) return true;
    }
    return false;
}

/// A dark ground that white letters stand out from on any picture, and the region's colour at its left.
void Labels::fill(Box const& box, Rgb const& colour) {
    constexpr double kShade = 0.78;
    constexpr Rgb kDark = {16, 18, 22};
    std::int64_t const bar = std::max<std::int64_t>(letter_ / 6, 2);
    for (std::int64_t y = box.y; y < box.y + box.height; ++y) {
        auto* const row = image_.row<std::uint8_t>(y);
        for (std::int64_t x = box.x; x < box.x + box.width; ++x) {
            if (x < box.x + bar) mix(colour, 1, row + x * 3);
            else mix(kDark, kShade, row + x * 3);
        }
    }
}

void Labels::write(Image const& ink, std::int64_t x, std::int64_t y) {
    constexpr Rgb kWhite = {255, 255, 255};
    for (std::int64_t row = 0; row < ink.height(); ++row) {
        if (y + row < 0 || y + row >= image_.height()) continue;
        auto const* const coverage = ink.row<std::uint8_t>(row);
        auto* const pixel = image_.row<std::uint8_t>(y + row) + x * 3;
        for (std::int64_t i = 0; i < ink.width(); ++i) mix(kWhite, coverage[i] / 255.0, pixel + i * 3);
    }
}

}  // namespace

Image draw_overlay(SegmentReport const& report, Image const& picture, double min_score, bool* has_text) {
    if (picture.width() != report.width || picture.height() != report.height) {
        fail_as(ErrorKind::usage, "the segments are of a picture of {}×{}, not of {}×{}", report.width, report.height,
                picture.width(), picture.height());
    }
    Image image = convert_channels(convert_samples(picture, SampleType::u8), 3);
    image.drop_alpha();
    Drawing const drawing =
        report.kind == Segmentation::instance ? draw_instances(report, min_score) : draw_regions(report);
    paint(drawing, image);
    bool const written = Labels(report, drawing, image).draw();
    if (has_text != nullptr) *has_text = written;
    return image;
}

}  // namespace vitrum
