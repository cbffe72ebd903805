# SPDX-License-Identifier: Apache-2.0
"""Turn a training checkpoint into a bundled model.

    python export.py run_x2/checkpoint.pth models/X.safetensors --scale 2 \\
        --training "26730 steps of …"

Keeps the averaged weights, in half precision, under their published names;
what can be computed (masks, index tables) is left out.  Several checkpoints or
models of one ancestry, each with --share, give the mean of their weights, which
does better than any of them (Wortsman et al., "Model soups", ICML 2022).
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


def load(path):
    """The averaged weights of a checkpoint, or the weights of a model."""
    if path.endswith(".safetensors"):
        return swinir.load_weights(path)
    return torch.load(path, map_location="cpu", weights_only=True)["average"]


def mean(weights, shares):
    """The weighted mean of several networks' weights."""
    return {key: sum(share / sum(shares) * w[key].float()
                     for share, w in zip(shares, weights))
            for key in weights[0] if not key.endswith(COMPUTED)}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("checkpoint", nargs="+")
    parser.add_argument("out")
    parser.add_argument("--scale", type=int, required=True)
    parser.add_argument("--training", required=True, help="what was done")
    parser.add_argument("--share", type=float, nargs="+", default=[1.0],
                        help="each checkpoint's share of the mean")
    args = parser.parse_args()
    if len(args.share) != len(args.checkpoint):
        parser.error("each checkpoint needs a --share")
    weights = [load(path) for path in args.checkpoint]
    write(mean(weights, args.share), args.out, args.scale, args.training)


if __name__ == "__main__":
    main()
