# SPDX-License-Identifier: Apache-2.0
"""Compare vitrum with Hugging Face transformers on Mask2Former networks of
published sizes with random weights.

    python tests/slow/mask2former.py --vitrum build/dev/bin/vitrum

The truth is PyTorch in float64.  The limit is DESIGN's: 1e-4, or 16 times how
far PyTorch's own float32 is off.  That matters here: of a million mask logits
a few lie so near zero that rounding decides whether their pixel is seen.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "zoo"))
try:
    import torch
    from safetensors.torch import save_file

    import mask2former
except ImportError as error:
    print(f"skipped: {error}; pip install torch transformers safetensors")
    sys.exit(77)

# The backbone, the number of classes and queries, and height and width.
CASES = {
    "Swin-T, COCO panoptic": (
        mask2former.swin(**mask2former.SWIN_T),
        133,
        100,
        (640, 800),
    ),
    "Swin-B window 12, ADE20K": (
        mask2former.swin(**mask2former.SWIN_B),
        150,
        100,
        (320, 416),
    ),
    "R50, Cityscapes": (
        mask2former.resnet(depths=[3, 4, 6, 3]),
        19,
        100,
        (256, 512),
    ),
    "R101, COCO instance": (
        mask2former.resnet(depths=[3, 4, 23, 3]),
        80,
        100,
        (333, 250),
    ),
}


def make(name, folder):
    backbone, classes, queries, size = CASES[name]
    model, generator = mask2former.build(
        backbone, classes, zlib.crc32(name.encode()), num_queries=queries
    )
    x = torch.randn(1, 3, *size, generator=generator)
    model.save_pretrained(folder / "model")
    single = mask2former.answer(model, x)
    exact = mask2former.answer(model.double(), x.double())
    noise = max(
        float((single[k] - exact[k]).abs().max() / exact[k].std())
        for k in exact
    )
    save_file(
        {"input": x, **{k: v.float().contiguous() for k, v in exact.items()}},
        folder / "io.safetensors",
        metadata={"float32_noise": f"{noise:.1e}"},
    )
    return noise


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vitrum", required=True)
    parser.add_argument(
        "--case", action="append", choices=CASES, help="only these"
    )
    args = parser.parse_args()
    failed = []
    for name in args.case or CASES:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            noise = make(name, folder)
            limit = max(1e-4, 16 * noise)
            print(
                f"\n{name}: PyTorch's float32 is off by {noise:.1e}, the limit is {limit:.1e}",
                flush=True,
            )
            done = subprocess.run(
                [
                    args.vitrum,
                    "verify",
                    str(folder / "model"),
                    "--golden",
                    str(folder / "io.safetensors"),
                    "--tolerance",
                    str(limit),
                ]
            )
            if done.returncode:
                failed.append(name)
    if failed:
        sys.exit(f"differs from transformers: {', '.join(failed)}")


if __name__ == "__main__":
    main()
