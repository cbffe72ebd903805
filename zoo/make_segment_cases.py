# SPDX-License-Identifier: Apache-2.0
"""Make the cases of tests/data/segment: what comes before and after a network
that segments.

    python make_segment_cases.py ../tests/data/segment

resize.safetensors   pictures before and after Pillow's bilinear resizing
NAME.safetensors     logits and masks of a made-up network, and what the
                     original's rules (written out below) and the image
                     processor of Hugging Face transformers make of them
run_lengths.json     masks and their run lengths by pycocotools

Needs torch, transformers, pycocotools and Pillow.
"""

import argparse
import json
import pathlib
import types

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from pycocotools import mask as coco
from safetensors.torch import save_file
from transformers.models.mask2former.image_processing_pil_mask2former import (
    Mask2FormerImageProcessorPil as Processor)

# Queries, classes (the upper half are stuff), masks, the network's input, the
# part of it that is no padding, the picture, and how sure the queries are.
CASES = {
    "upwards": (12, 6, (24, 32), (96, 128), (90, 121), (131, 160), 6.0),
    "downwards": (12, 6, (32, 24), (128, 96), (128, 96), (41, 30), 6.0),
    "one_query": (1, 3, (8, 8), (32, 32), (32, 32), (20, 17), 8.0),
    "one_pixel": (5, 4, (8, 8), (32, 32), (1, 1), (1, 1), 6.0),
    "wide": (9, 5, (8, 80), (32, 320), (3, 300), (5, 411), 6.0),
    "unsure": (7, 4, (16, 16), (64, 64), (64, 60), (50, 47), 0.0),
}


def made_up(seed, queries, classes, masks, sureness):
    """Blobs that share the picture but for some overlap, most of them surely of
    some class; classes come up repeatedly, and one blob comes up twice."""
    g = torch.Generator().manual_seed(seed)
    coarse = torch.randn(1, queries, 4, 5, generator=g) * 12
    fields = F.interpolate(coarse, size=masks, mode="bicubic")
    if queries > 1:
        best = fields.topk(2, dim=1).values
        rival = torch.where(fields == best[:, :1], best[:, 1:], best[:, :1])
        fields = fields - rival + 1
        fields[:, 1] = fields[:, 0] - 0.5
    fields = fields + torch.randn(1, queries, *masks, generator=g) * 0.3
    logits = torch.randn(1, queries, classes + 1, generator=g)
    chosen = torch.arange(queries) * 3 % (classes + 1)
    chosen[-3:] = classes - 1  # stuff, more than once
    if queries > 10:
        chosen[2] = chosen[5] = classes - 1  # and things between
    logits[0, torch.arange(queries), chosen] += sureness
    return logits, fields


def stuff_of(classes):
    return set(range(classes // 2, classes))


# ---- the original's rules

def to_picture(x, kept, picture):
    x = x[:, :kept[0], :kept[1]][None]
    return F.interpolate(x, size=picture, mode="bilinear",
                         align_corners=False)[0]


def original_panoptic(logits, masks, stuff, threshold=0.8, overlap=0.8):
    scores, labels = logits.softmax(-1).max(-1)
    sure = (labels != logits.shape[-1] - 1) & (scores > threshold)
    scores, labels, masks = scores[sure], labels[sure], masks[sure].sigmoid()
    result = torch.zeros(masks.shape[-2:], dtype=torch.int32)
    segments, known = [], {}
    if not len(labels):
        return result, segments
    winner = (scores[:, None, None] * masks).argmax(0)
    for k, label in enumerate(labels.tolist()):
        solid = masks[k] >= 0.5
        region = (winner == k) & solid
        if not region.any():
            continue
        if (winner == k).sum().item() / solid.sum().item() < overlap:
            continue
        if label in known:
            result[region] = known[label]
            continue
        number = len(segments) + 1
        if label in stuff:
            known[label] = number
        result[region] = number
        segments.append((number, label, scores[k].item()))
    return result, segments


def original_semantic(logits, masks):
    return torch.einsum("qc,qhw->chw", logits.softmax(-1)[:, :-1],
                        masks.sigmoid())


def original_instances(logits, masks, things, top_k):
    """Class, score and area of each, by falling score."""
    probabilities = logits.softmax(-1)[:, :-1].flatten()
    classes = logits.shape[-1] - 1
    top, where = probabilities.topk(min(top_k, len(probabilities)))
    found = []
    for probability, at in zip(top.tolist(), where.tolist()):
        if at % classes not in things:
            continue
        mask = masks[at // classes]
        inside = (mask > 0).float()
        area = int(inside.sum())
        mean = (mask.sigmoid() * inside).sum() / (inside.sum() + 1e-6)
        if area:
            found.append((at % classes, probability * mean.item(), area))
    return sorted(found, key=lambda f: -f[1])


# ---- one case

def table(rows):
    width = len(rows[0]) if rows else 3
    return torch.tensor(rows, dtype=torch.float64).reshape(-1, width)


def hugging_face(logits, masks, picture, stuff):
    outputs = types.SimpleNamespace(class_queries_logits=logits,
                                    masks_queries_logits=masks)
    processor = Processor()
    result = {}
    for name, fuse in (("plain", set()), ("fused", stuff)):
        panoptic = processor.post_process_panoptic_segmentation(
            outputs, threshold=0.5, label_ids_to_fuse=fuse,
            target_sizes=[picture])[0]
        result[f"hf_{name}_map"] = panoptic["segmentation"].clamp(min=0)
        result[f"hf_{name}_segments"] = table(
            [(s["id"], s["label_id"], s["score"])
             for s in panoptic["segments_info"]])
    result["hf_semantic"] = processor.post_process_semantic_segmentation(
        outputs, target_sizes=[picture])[0]
    for threshold in (0.0, 0.5):
        instances = processor.post_process_instance_segmentation(
            outputs, threshold=threshold, target_sizes=[picture],
            return_binary_maps=True)[0]
        rows = [(s["label_id"], s["score"], int(m.sum())) for s, m in
                zip(instances["segments_info"], instances["segmentation"])]
        rows.sort(key=lambda f: -f[1])
        result[f"hf_instances_{threshold}"] = table(rows)
    return result


def make_case(seed, queries, classes, masks, network, kept, picture, sureness):
    logits, fields = made_up(seed, queries, classes, masks, sureness)
    stuff = stuff_of(classes)
    things = set(range(classes)) - stuff
    padded = F.interpolate(fields, size=network, mode="bilinear",
                           align_corners=False)[0]
    whole = to_picture(padded, kept, picture)
    panoptic, segments = original_panoptic(logits[0], whole, stuff)
    semantic = to_picture(original_semantic(logits[0], padded), kept, picture)
    case = {
        "logits": logits[0], "masks": fields[0].permute(1, 2, 0),
        "geometry": torch.tensor([*picture, *kept, *network]),
        "stuff": torch.tensor([c in stuff for c in range(classes)]),
        "original_map": panoptic, "original_segments": table(segments),
        "original_semantic": semantic.argmax(0),
        "original_instances": table(
            original_instances(logits[0], whole, things, top_k=10)),
        **hugging_face(logits, fields, picture, stuff),
    }
    for name, tensor in case.items():
        whole_numbers = name.endswith(("_map", "semantic"))
        case[name] = (tensor.to(torch.uint8) if whole_numbers
                      else tensor).contiguous()
    return case


# ---- the rest

def make_resize_cases():
    rng = np.random.default_rng(1)
    cases = {}
    sizes = (((17, 23), (31, 40)), ((40, 31), (9, 12)), ((5, 64), (5, 7)),
             ((13, 6), (50, 6)), ((1, 1), (4, 3)), ((9, 9), (1, 1)))
    for i, ((h, w), (new_h, new_w)) in enumerate(sizes):
        picture = rng.integers(0, 256, (h, w, 3), dtype=np.uint8)
        resized = Image.fromarray(picture).resize((new_w, new_h),
                                                  Image.Resampling.BILINEAR)
        cases[f"from_{i}"] = torch.from_numpy(picture)
        cases[f"to_{i}"] = torch.from_numpy(np.array(resized))
    return cases


def make_run_lengths():
    rng = np.random.default_rng(2)
    masks = [np.zeros((3, 4), np.uint8), np.ones((5, 2), np.uint8),
             np.eye(7, dtype=np.uint8), np.ones((1, 1), np.uint8),
             (rng.random((40, 33)) < 0.5).astype(np.uint8),
             np.pad(np.ones((300, 200), np.uint8), ((100, 60), (70, 31)))]
    cases = []
    for mask in masks:
        columns = mask.flatten(order="F").astype(np.int8)
        changes = np.flatnonzero(np.diff(columns, prepend=0)).tolist()
        edges = [0, *changes, columns.size]
        counts = coco.encode(np.asfortranarray(mask))["counts"].decode()
        runs = [b - a for a, b in zip(edges, edges[1:])]
        cases.append({"size": list(mask.shape), "runs": runs,
                      "counts": counts, "area": int(mask.sum()),
                      "bbox": [int(v) for v in coco.toBbox(
                          coco.encode(np.asfortranarray(mask)))]})
    return cases


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    save_file(make_resize_cases(), folder / "resize.safetensors")
    for seed, (name, case) in enumerate(CASES.items()):
        save_file(make_case(seed, *case), folder / f"{name}.safetensors")
    text = json.dumps(make_run_lengths()) + "\n"
    (folder / "run_lengths.json").write_text(text)


if __name__ == "__main__":
    main()
