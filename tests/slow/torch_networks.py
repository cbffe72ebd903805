# SPDX-License-Identifier: Apache-2.0
"""Compare vitrum with PyTorch on networks of published sizes with random
weights: MST++, MST, ELAN and SwinIR.

    python tests/slow/torch_networks.py --vitrum build/dev/bin/vitrum

The truth is our own definitions (zoo/) in float64.  The limit is DESIGN's aim,
2e-5, or twice what PyTorch's float32 is off by: ELAN's softmax has no scale and
enlarges rounding errors.  CASSI runs at 256 x 256, where the mask's shifts are
real, and at sizes whose levels shift by odd shares.
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

    import elan
    import make_mst_cases
    import make_test_cases
    import mst
    import swinir
except ImportError as error:
    print(f"skipped: {error}; pip install torch safetensors")
    sys.exit(77)

MEDIUM = dict(upscale=4, upsampler="pixelshuffle", embed_dim=180,
              depths=(6,) * 6, num_heads=(6,) * 6)

# The network, its configuration, the input N x H x W and its values' range.
CASES = {
    "MST++": (mst.MSTPlusPlus, {}, (1, 482, 512), 1),
    "MST++, 2 pictures": (mst.MSTPlusPlus, {}, (2, 96, 40), 1),
    "MST++, 4 pictures": (mst.MSTPlusPlus, {}, (4, 33, 64), 1),
    "MST++, 8 pictures": (mst.MSTPlusPlus, {}, (8, 48, 48), 1),
    "MST++, 16 pictures": (mst.MSTPlusPlus, {}, (16, 70, 51), 1),
    "MST, RGB": (mst.MST, dict(num_blocks=(4, 7, 5)), (1, 130, 200), 1),
    "MST-S, CASSI": (mst.CassiMST, {}, (1, 256, 256), 1),
    "MST-M, CASSI": (mst.CassiMST, dict(num_blocks=(2, 4, 4)),
                     (2, 128, 128), 1),
    "MST-L, CASSI": (mst.CassiMST, dict(num_blocks=(4, 7, 5)),
                     (1, 100, 100), 1),
    "ELAN-light x4": (elan.Elan, dict(elan.LIGHT, scale=4), (2, 75, 100), 255),
    "ELAN x3": (elan.Elan, dict(elan.FULL, scale=3), (1, 40, 70), 255),
    "SwinIR-S x2": (swinir.SwinIR, dict(swinir.LIGHTWEIGHT, upscale=2),
                    (1, 101, 75), 1),
    "SwinIR-M x4": (swinir.SwinIR, MEDIUM, (1, 45, 60), 1),
}


def randomise(model, generator):
    if isinstance(model, elan.Elan):
        # PyTorch's own initial weights: wilder ones make so deep a network,
        # with its softmax without scale, chaotic in any float32.
        with torch.no_grad():
            for p in model.parameters():
                if p.requires_grad and p.dim() == 1:
                    p += 0.05 * torch.randn(p.shape, generator=generator)
            model.head[0].weight /= 64  # pixels deviate by 70
    elif isinstance(model, swinir.SwinIR):
        make_test_cases.randomise(model, generator)
    else:
        make_mst_cases.randomise(model, generator)


def inputs_of(model, size, values, generator):
    if isinstance(model, (elan.Elan, swinir.SwinIR)):
        n, h, w = size
        x = torch.rand(n, 3, h, w, generator=generator)
        return {"input": values * x}
    return make_mst_cases.inputs_of(model, size, generator)


def make(name, folder):
    network, config, size, values = CASES[name]
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    model = network(**config).eval()
    randomise(model, generator)
    inputs = inputs_of(model, size, values, generator)
    torch.save({"state_dict": model.state_dict()}, folder / "model.pth")
    with torch.inference_mode():
        single = model(*inputs.values()).double()
        exact = model.double()(*(x.double() for x in inputs.values()))
    save_file(dict(inputs, output=exact.float().contiguous()),
              folder / "io.safetensors")
    return float((single - exact).abs().max() / exact.std())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vitrum", required=True)
    parser.add_argument("--case", action="append", choices=CASES,
                        help="only these")
    args = parser.parse_args()
    failed = []
    for name in args.case or CASES:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            noise = make(name, folder)
            limit = max(2e-5, 2 * noise)
            print(f"\n{name}: PyTorch's float32 is off by {noise:.1e}, the "
                  f"limit is {limit:.1e}", flush=True)
            done = subprocess.run(
                [args.vitrum, "verify", str(folder / "model.pth"), "--golden",
                 str(folder / "io.safetensors"), "--tolerance", str(limit)])
            if done.returncode:
                failed.append(name)
    if failed:
        sys.exit(f"differs from PyTorch: {', '.join(failed)}")


if __name__ == "__main__":
    main()
