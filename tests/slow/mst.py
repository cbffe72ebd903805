# SPDX-License-Identifier: Apache-2.0
"""Compare vitrum with PyTorch on MST++ and MST networks of published sizes
with random weights.

    python tests/slow/mst.py --vitrum build/dev/bin/vitrum

The truth is our own definition (zoo/mst.py) in float64.  The limit is
DESIGN's aim: 2e-5.  CASSI runs at 256 x 256, where the mask's shifts are real,
and at sizes whose levels shift by odd shares.
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

    import make_mst_cases
    import mst
except ImportError as error:
    print(f"skipped: {error}; pip install torch safetensors")
    sys.exit(77)

# The network, its configuration and the input N x H x W.
CASES = {
    "MST++": (mst.MSTPlusPlus, {}, (1, 482, 512)),
    "MST++, 16 pictures": (mst.MSTPlusPlus, {}, (16, 70, 51)),
    "MST, RGB": (mst.MST, dict(num_blocks=(4, 7, 5)), (1, 130, 200)),
    "MST-S, CASSI": (mst.CassiMST, {}, (1, 256, 256)),
    "MST-M, CASSI": (mst.CassiMST, dict(num_blocks=(2, 4, 4)), (2, 128, 128)),
    "MST-L, CASSI": (mst.CassiMST, dict(num_blocks=(4, 7, 5)), (1, 100, 100)),
}


def make(name, folder):
    network, config, size = CASES[name]
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    model = network(**config).eval()
    make_mst_cases.randomise(model, generator)
    inputs = make_mst_cases.inputs_of(model, size, generator)
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
            print(f"\n{name}: PyTorch's float32 is off by {noise:.1e}",
                  flush=True)
            done = subprocess.run(
                [args.vitrum, "verify", str(folder / "model.pth"), "--golden",
                 str(folder / "io.safetensors"), "--tolerance", "2e-5"])
            if done.returncode:
                failed.append(name)
    if failed:
        sys.exit(f"differs from PyTorch: {', '.join(failed)}")


if __name__ == "__main__":
    main()
