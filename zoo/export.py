# SPDX-License-Identifier: Apache-2.0
"""Turn a training checkpoint into a bundled model.

    python export.py run_x2/checkpoint.pth models/X.safetensors --scale 2 \\
        --training "26730 steps of …"

Keeps the averaged weights, in half precision, under their published names;
what can be computed (masks, index tables) is left out.
"""

import argparse
import json
import pathlib

import torch
from safetensors.torch import save_file

import swinir

COMPUTED = ("attn_mask", "relative_position_index")


def write(weights, path, scale, training):
    tensors = {f"params.{k}": v.half().cpu().contiguous()
               for k, v in weights.items() if not k.endswith(COMPUTED)}
    config = dict(swinir.LIGHTWEIGHT, upscale=scale)
    metadata = {"family": "swinir", "config": json.dumps(config),
                "license": "Apache-2.0", "training": training,
                "data": "freely licensed pictures from Debian packages, "
                        "listed with their authors in zoo/LICENSES.md"}
    save_file(tensors, path, metadata=metadata)
    pathlib.Path(path).chmod(0o644)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("out")
    parser.add_argument("--scale", type=int, required=True)
    parser.add_argument("--training", required=True, help="what was done")
    args = parser.parse_args()
    state = torch.load(args.checkpoint, map_location="cpu", weights_only=True)
    write(state["average"], args.out, args.scale,
          f"{state['step']} steps; {args.training}")


if __name__ == "__main__":
    main()
