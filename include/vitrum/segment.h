// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vitrum/engine.h"
#include "vitrum/image.h"

namespace vitrum {

enum class Segmentation : std::uint8_t {
    panoptic,  ///< every pixel belongs to one thing, to one kind of stuff, or to nothing
    instance,  ///< things, each with a mask and a score; masks may overlap
    semantic,  ///< every pixel has a class
};

[[nodiscard]] VITRUM_API std::string_view name_of(Segmentation kind);

/// Two codes run the same networks and differ around them.
enum class SegmentRules : std::uint8_t {
    /// facebookresearch/Mask2Former: the picture keeps its shape and is padded to a multiple of 32; masks go
    /// straight to the picture's size; pixels where the winning mask is below one half belong to nothing;
    /// regions of one kind of stuff become one segment.
    original,
    /// The image processor of Hugging Face transformers: the picture is stretched to a multiple of 32; masks go
    /// through 384×384; stuff is not joined, which is that library's default.
    hugging_face,
};

struct ClassInfo {
    std::string name;
    bool is_thing = true;  ///< countable; else stuff
    int category_id = 0;   ///< in the dataset's own files
};

/// What the class numbers of a network mean.
struct ClassList {
    std::string name;  ///< "coco", a file's name, "config.json", …
    std::vector<ClassInfo> classes;
    bool knows_stuff = false;  ///< whether it tells things from stuff; without that nothing is joined
};

/// The number of classes that a segmentation network tells apart.
[[nodiscard]] VITRUM_API int class_count(Engine const& engine);

/// The classes of a network. `choice` is "coco", "ade20k", "cityscapes" or a file (one name a line, or the
/// categories of a COCO JSON file); empty: what the model says, else by convention the dataset of that many
/// classes, else numbers. A list also fits a network that tells only the list's things apart.
/// Throws Error (usage) where the list does not fit; the text holds both numbers.
[[nodiscard]] VITRUM_API ClassList choose_classes(Engine const& engine, std::string const& choice = {});

/// Panoptic where things and stuff are known; instance where there are only things; else semantic.
[[nodiscard]] VITRUM_API Segmentation default_segmentation(ClassList const& classes);

struct SegmentOptions {
    Segmentation kind = Segmentation::panoptic;
    SegmentRules rules = SegmentRules::original;
    ClassList classes = {};  ///< empty: choose_classes(engine)
    /// The picture is resized so that its shorter side gets this length and the longer one at most that;
    /// short_edge 0: not at all; absent: what the model says, else 800 and 1333.
    std::optional<int> short_edge = {}, long_edge = {};
    /// A query counts from this class probability (panoptic), an instance from this score. Absent: 0.8 and 0, by
    /// Hugging Face's rules 0.5 and 0.5.
    std::optional<double> threshold = {};
    double overlap_threshold = 0.8;  ///< a segment must keep this share of its mask (panoptic)
    int top_k = 100;                 ///< the most instances, the best first (Hugging Face: one per query)
    /// What this process may have in memory in all; 0: most of what is free.
    std::uint64_t memory_bytes = 0;
    Progress progress = nullptr;
    int tile = 0;              ///< largest side of a part in pixels of the picture; 0: the whole picture at once
    int tile_overlap = -1;     ///< pixels shared by neighbouring parts; −1: a quarter of a tile
    bool approximate = false;  ///< tiles change the result, and are refused without this
};

/// In pixels of the picture.
struct Box {
    std::int64_t x = 0, y = 0, width = 0, height = 0;
    bool operator==(Box const&) const = default;
};

struct Segment {
    int id = 0;           ///< its value in SegmentReport::labels; of an instance its rank, from 1
    int class_index = 0;  ///< into the class list
    double score = 0;     ///< 0 for semantic segmentation
    std::int64_t area = 0;
    Box box;
    /// Of an instance: lengths of runs outside and inside the mask in turn, beginning outside, down the columns
    /// from left to right (COCO's run lengths).
    std::vector<std::uint32_t> runs;
};

struct SegmentReport {
    Segmentation kind = Segmentation::panoptic;
    ClassList classes;
    std::int64_t width = 0, height = 0;  ///< of the picture
    /// For each pixel of the picture the id of its segment, 0 for none (panoptic), or its class index (semantic);
    /// empty for instances.
    std::vector<std::uint16_t> labels;
    std::vector<Segment> segments;  ///< by id; of semantic segmentation one per class that occurs
    std::int64_t network_width = 0, network_height = 0;
    int tiles = 1;
    Reruns reruns = {};  ///< of tiles
    double compute_seconds = 0;
};

/// Finds what a picture shows. Grey is taken as RGB, more than 8 bits are rounded to 8, alpha is left aside, as
/// in the code that the networks come from.
/// Throws Error: usage (a network that does not segment, senseless sizes), out_of_memory, accuracy (NaN or Inf).
[[nodiscard]] VITRUM_API SegmentReport segment(Session& session, Image const& picture,
                                               SegmentOptions const& options = {});

/// COCO's compressed run lengths, the string "counts" of pycocotools.
[[nodiscard]] VITRUM_API std::string coco_counts(std::vector<std::uint32_t> const& runs);

/// The files of one picture. An empty path is not written.
struct SegmentFiles {
    std::filesystem::path labels;   ///< PNG: COCO panoptic colours, or class numbers with a palette
    std::filesystem::path json;     ///< COCO panoptic format, or instances with run lengths
    std::filesystem::path overlay;  ///< the picture with the segments drawn over it
};

/// COCO's JSON for one picture: of panoptic segmentation images, annotations with segments_info, and categories
/// (`labels_name` is the PNG beside it); of instances a list of results; of semantic segmentation the classes
/// that occur. `picture_name` is the picture's file name; its stem is the image id.
[[nodiscard]] VITRUM_API std::string segments_json(SegmentReport const& report, std::string const& picture_name,
                                                   std::string const& labels_name);

/// The picture, 8-bit RGB, under translucent colours, with contours and labels. Instances below `min_score` are
/// left out. Where libvips was built without Pango there is no text; `has_text` (if not null) tells.
[[nodiscard]] VITRUM_API Image draw_overlay(SegmentReport const& report, Image const& picture, double min_score = 0.5,
                                            bool* has_text = nullptr);

/// Writes them all, or none, the labels last. Returns false where the overlay lacks its text.
VITRUM_API bool save_segments(SegmentReport const& report, Image const& picture, std::string const& picture_name,
                              SegmentFiles const& files, SaveOptions const& options = {}, double min_score = 0.5);

}  // namespace vitrum
