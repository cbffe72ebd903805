# SPDX-License-Identifier: Apache-2.0
"""Make the MST++ and MST cases of tests/data: tiny networks and what they answer.

    python make_mst_cases.py ../tests/data

As in make_test_cases.py: random weights with nothing zero, one way of storing
checkpoints after the other, outputs in float64.
"""

import argparse
import json
import pathlib
import zlib

import torch
from safetensors.torch import save_file

import mst
from make_test_cases import save

# The network, its configuration, the input N x H x W, the file's suffix and
# what it is wrapped in.
CASES = {
    "mstpp": (
        mst.MSTPlusPlus, dict(dim=3, stage=2),
        (2, 13, 18), ".pth", "state_dict module."),
    "mstpp_one_stage": (
        mst.MSTPlusPlus, dict(dim=4, stage=1, num_blocks=(1, 2)),
        (1, 8, 40), ".safetensors", ""),
    "mst_rgb": (
        mst.MST, dict(dim=3, num_blocks=(2, 1, 1)),
        (3, 9, 14), ".pth", "state_dict module."),
    "mst_rgb_pixel": (
        mst.MST, dict(dim=2, num_blocks=(1, 1, 1)),
        (1, 1, 1), ".legacy.pth", "module."),
    "mst_cassi": (
        mst.CassiMST, dict(dim=4, num_blocks=(1, 2, 1)),
        (2, 12, 12), ".pth", ""),
    "mst_cassi_small": (
        mst.CassiMST, dict(dim=3, num_blocks=(1, 1, 1)),
        (1, 4, 4), ".safetensors", "module."),
}


def randomise(model, generator):
    """Weights at which no layer's part in the output is negligible."""
    def noise(t, std):
        return torch.randn(t.shape, generator=generator) * std

    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name:
                p.copy_(noise(p, 0.2) + (1.0 if name.endswith("weight") else 0))
            elif name.endswith("rescale"):
                p.copy_(noise(p, 1.0) + 2)
            elif name.endswith("bias"):
                p.copy_(noise(p, 0.2))
            else:
                p.copy_(noise(p, p[0].numel() ** -0.5))


def inputs_of(model, size, generator):
    n, h, w = size
    if not isinstance(model, mst.CassiMST):
        return {"input": torch.rand(n, 3, h, w, generator=generator)}
    return mst.snapshot_inputs(model.bands, n, h, generator)


def make(name, folder):
    network, config, size, suffix, wrapping = CASES[name]
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    model = network(**config).eval()
    randomise(model, generator)
    inputs = inputs_of(model, size, generator)
    path = folder / (name + "." + suffix.split(".")[-1])
    save(model.state_dict(), path, suffix, wrapping)
    with torch.inference_mode():
        single = model(*inputs.values()).double()
        exact = model.double()(*(x.double() for x in inputs.values()))
    noise = float((single - exact).abs().max() / exact.std())
    io = folder / f"{name}.io.safetensors"
    save_file(dict(inputs, output=exact.float().contiguous()), io,
              metadata={"family": name.split("_")[0],
                        "config": json.dumps(config),
                        "float32_noise": f"{noise:.1e}"})
    io.chmod(0o644)
    sizes = path.stat().st_size + io.stat().st_size
    print(f"{path.name:34} {sizes:8}  std {exact.std():.3f}  noise {noise:.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in CASES:
        make(name, folder)


if __name__ == "__main__":
    main()
