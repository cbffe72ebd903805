// SPDX-License-Identifier: Apache-2.0
#include "segment_options.h"

namespace vitrum::cli {

void add_segment_options(CLI::App& app, SegmentArguments& arguments) {
    auto const add = [&](std::string const& names, auto& value, std::string const& text, std::string const& type) {
        return app.add_option(names, value, text)->type_name(type)->group(kSegmentGroup);
    };
    add("--segmentation", arguments.kind, "panoptic, instance or semantic; auto: what the classes allow", "KIND")
        ->check(CLI::IsMember({"auto", "panoptic", "instance", "semantic"}))
        ->capture_default_str();
    add("--classes", arguments.classes,
        "coco, ade20k, cityscapes, or a file: a name a line, or COCO categories; default: the model's", "NAME");
    add("--resize", arguments.resize, "shorter side, longest side, such as 800,1333 (the default); or none",
        "SHORT[,LONG]");
    add("--overlay", arguments.overlay, "also draw the segments over the picture: a file (one input) or a folder",
        "PATH");
    add("--threshold", arguments.threshold,
        "how sure a segment (default 0.8) or an instance (default 0) must be; an overlay shows instances from 0.5", "P")
        ->check(CLI::Range(0.0, 1.0));
    add("--overlap-threshold", arguments.overlap_threshold, "the share of its mask that a segment must keep", "P")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    add("--top-k", arguments.top_k, "the most instances of a picture", "N")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    add("--rules", arguments.rules,
        "original (facebookresearch/Mask2Former) or hugging-face (what transformers does, its defaults too)", "NAME")
        ->check(CLI::IsMember({"original", "hugging-face"}))
        ->capture_default_str();
}

}  // namespace vitrum::cli
