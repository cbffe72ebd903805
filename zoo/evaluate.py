# SPDX-License-Identifier: Apache-2.0
"""Set5-style evaluation: PSNR of Y, border = scale, RGB rounded to 8 bits.

    python evaluate.py MODEL --scale 2 --hr Set5/HR [--lr Set5/LR_bicubic/X2]

Without --lr the low-resolution images are made from the high-resolution ones.
`MODEL` may be `bicubic`.
"""

import argparse
import pathlib

import numpy as np
import torch
from PIL import Image

import metrics
import swinir


def read(path):
    return np.asarray(Image.open(path).convert("RGB"))


def crop(hr, scale):
    h, w = (n // scale * scale for n in hr.shape[:2])
    return hr[:h, :w]


def upscale(model, lr, scale):
    if model is None:
        h, w = lr.shape[:2]
        return metrics.to_uint8(metrics.resize(lr, h * scale, w * scale))
    x = torch.from_numpy(lr.copy()).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        y = model(x)[0].clamp(0, 1) * 255
    return y.round().byte().permute(1, 2, 0).numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--scale", type=int, required=True)
    parser.add_argument("--hr", type=pathlib.Path, required=True)
    parser.add_argument("--lr", type=pathlib.Path)
    args = parser.parse_args()
    model = None
    if args.model != "bicubic":
        model = swinir.lightweight(args.scale).eval()
        swinir.load_into(model, swinir.load_weights(args.model))
    values = []
    for path in sorted(args.hr.glob("*.png")):
        hr = crop(read(path), args.scale)
        if args.lr:
            lr = read(args.lr / f"{path.stem}x{args.scale}.png")
        else:
            lr = metrics.low_resolution(hr, args.scale)
        out = upscale(model, lr, args.scale)
        values.append(metrics.psnr_y(out, hr, args.scale))
        print(f"{path.stem:12} {values[-1]:.3f}")
    print(f"{'mean':12} {np.mean(values):.3f}")


if __name__ == "__main__":
    main()
