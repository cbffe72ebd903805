# SPDX-License-Identifier: Apache-2.0
"""Export the nine networks that the MST++ repository compares itself with, and
compare what vitrum makes of the files with ONNX Runtime.

    PYTHONPATH=build/dev/python python tests/slow/comparison_networks.py \\
        --repository MST-plus-plus [NAME...]

The repository is https://github.com/caiyuanhao1998/MST-plus-plus; its code
needs einops.  Sizes as published, random weights, and a picture whose sides
are no multiples of 8 or 16 where a network pads them itself.
"""

import argparse
import importlib
import pathlib
import sys
import tempfile
import types
import warnings

try:
    import einops  # noqa: F401
    import onnx
    import onnxruntime  # noqa: F401
    import torch

    import vitrum
except ImportError as error:
    print(f"skipped: {error}; pip install torch onnx onnxscript onnxruntime einops")
    sys.exit(77)

SCRIPT = dict(dynamo=False, opset_version=17)
# TorchScript's exporter loses the shape of what is padded by amounts that are computed from the picture's size, and
# refuses the convolution behind it.
DYNAMO = dict(dynamo=True, opset_version=18, external_data=False)

# The module, its class, its arguments (model_generator's), the exporter, and the picture's size.
CASES = {
    "EDSR": ("edsr", "EDSR", {}, SCRIPT, (32, 48)),
    "HDNet": ("HDNet", "HDNet", {}, SCRIPT, (32, 48)),
    "HINet": ("hinet", "HINet", dict(depth=4), SCRIPT, (32, 48)),
    "HRNet": ("hrnet", "SGN", {}, DYNAMO, (28, 44)),
    "HSCNN+": ("HSCNN_Plus", "HSCNN_Plus", {}, SCRIPT, (32, 48)),
    "MIRNet": ("MIRNet", "MIRNet", dict(n_RRG=3, n_MSRB=1, height=3, width=1), SCRIPT, (32, 48)),
    "MPRNet": ("MPRNet", "MPRNet", dict(num_cab=4), SCRIPT, (32, 48)),
    "Restormer": ("Restormer", "Restormer", {}, DYNAMO, (28, 44)),
    "AWAN": ("AWAN", "AWAN", {}, SCRIPT, (32, 48)),
}


def make(repository, name):
    module, network, arguments, _, _ = CASES[name]
    package = "architecture"
    if package not in sys.modules:  # without its __init__, which wants more
        sys.modules[package] = types.ModuleType(package)
        sys.modules[package].__path__ = [str(repository / "predict_code" / package)]
    torch.manual_seed(0)
    model = getattr(importlib.import_module(f"{package}.{module}"), network)(**arguments).eval()
    for p in model.parameters():
        if p.dim() == 1 and not p.any():
            torch.nn.init.normal_(p, std=0.05)
    return model


def check(repository, name, folder, device):
    """The worst error, which is printed."""
    _, _, _, how, size = CASES[name]
    path = folder / f"{name}.onnx"
    if not path.exists():
        with torch.inference_mode():
            picture = torch.rand(1, 3, *size)
            torch.onnx.export(
                make(repository, name), (picture,), path, input_names=["input"], verbose=False, **how
            )
    report = vitrum.verify(path, against="onnxruntime", size=size, device=device)
    worst = max(output.normalised for output in report.outputs)
    exporter = "dynamo" if how["dynamo"] else "TorchScript"
    nodes = len(onnx.load(path).graph.node)
    print(f"{name}, {exporter} {how['opset_version']}, {size[0]} x {size[1]}, {nodes} nodes: {worst:.1e}", flush=True)
    return worst if report.passed else float("inf")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repository", type=pathlib.Path, default=pathlib.Path("MST-plus-plus"),
                        help="a clone of it")
    parser.add_argument("--exports", type=pathlib.Path, help="keep the exports there, and take those that are there")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("name", nargs="*", help="only these")
    args = parser.parse_args()
    if not (args.repository / "predict_code" / "architecture").is_dir():
        print(f"skipped: no clone of the MST++ repository at {args.repository}")
        return 77
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.exports or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        return 0 if all([check(args.repository, name, folder, args.device) < 1e-4 for name in args.name or CASES]) else 1


if __name__ == "__main__":
    sys.exit(main())
