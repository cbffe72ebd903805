// SPDX-License-Identifier: Apache-2.0
#include "segment_options.h"

namespace vitrum::cli {

void add_segment_options(Verb const& verb, SegmentArguments& arguments) {
    auto const add = [&](std::string const& names, auto& value, std::string const& text, std::string const& type) {
        return verb.option(names, value, text).value(type).group(kSegmentGroup);
    };
    add("--segmentation", arguments.kind, "panoptic, instance or semantic; auto: what the classes allow", "KIND")
        .one_of({"auto", "panoptic", "instance", "semantic"})
        .shows_default();
    add("--classes", arguments.classes,
        "coco, ade20k, cityscapes, or a file: a name a line, or COCO categories; default: the model's", "NAME");
    add("--resize", arguments.resize, "shorter side, longest side, such as 800,1333 (the default); or none",
        "SHORT[,LONG]");
    add("--overlay", arguments.overlay, "also draw the segments over the picture: a file (one input) or a folder",
        "PATH");
    add("--threshold", arguments.threshold,
        "how sure a segment (default 0.8) or an instance (default 0) must be; an overlay shows instances from 0.5", "P")
        .between(0.0, 1.0);
    add("--overlap-threshold", arguments.overlap_threshold, "the share of its mask that a segment must keep", "P")
        .between(0.0, 1.0)
        .shows_default();
    add("--top-k", arguments.top_k, "the most instances of a picture", "N").positive().shows_default();
    add("--rules", arguments.rules,
        "original (facebookresearch/Mask2Former) or hugging-face (what transformers does, its defaults too)", "NAME")
        .one_of({"original", "hugging-face"})
        .shows_default();
}

}  // namespace vitrum::cli
