# SPDX-License-Identifier: Apache-2.0
"""Export small networks of every family in every way and expect vitrum to
recognise them and to agree with ONNX Runtime.

    python tests/slow/onnx_exports.py --vitrum build/dev/bin/vitrum

Both of PyTorch's exporters, several opsets, fixed and open sizes; again after
onnxsim where that is installed.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "zoo"))
try:
    import onnx
    import onnxruntime
    import torch
    from safetensors.numpy import save_file

    import elan
    import make_mst_cases
    import make_onnx_cases
    import make_test_cases
    import mst
    import swinir
except ImportError as error:
    print(f"skipped: {error}; pip install torch onnx onnxscript onnxruntime "
          "safetensors")
    sys.exit(77)
try:
    import onnxsim
except ImportError:
    onnxsim = None

SMALL = dict(embed_dim=24, depths=(2, 2), num_heads=(3, 3))

# The family, the network, its configuration, the picture and its range.
CASES = {
    "swinir": ("SwinIR", swinir.SwinIR,
               dict(SMALL, upscale=2, upsampler="pixelshuffle", img_size=16),
               (1, 3, 24, 32), 1),
    "jpeg": ("SwinIR", swinir.SwinIR,
             dict(SMALL, in_chans=1, window_size=7, img_size=14,
                  img_range=255.0), (1, 1, 21, 28), 1),
    "elan": ("ELAN", elan.Elan, dict(scale=3, c_elan=30, m_elan=8, n_share=1),
             (1, 3, 32, 48), 255),
    "mst++": ("MST++", mst.MSTPlusPlus, dict(stage=2), (1, 3, 24, 32), 1),
}
OPEN = {0: "batch", 2: "height", 3: "width"}
DYNAMIC = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}

# The arguments of the export.
EXPORTS = {
    "script 11": dict(dynamo=False, opset_version=11),
    "script 13, open": dict(dynamo=False, opset_version=13,
                            dynamic_axes={"x": OPEN}),
    "script 17, open": dict(dynamo=False, opset_version=17,
                            dynamic_axes={"x": OPEN}),
    "dynamo 18": dict(dynamo=True, opset_version=18, external_data=False),
    "dynamo 18, open": dict(dynamo=True, opset_version=18, external_data=False,
                            dynamic_shapes=(DYNAMIC,)),
}


def make(network, config):
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(3)
    model = network(**config).eval()
    if isinstance(model, elan.Elan):
        make_test_cases.randomise_elan(model, generator)
    elif isinstance(model, swinir.SwinIR):
        make_test_cases.randomise(model, generator)
    else:
        make_mst_cases.randomise(model, generator)
    return model


def check(vitrum, path, family, picture):
    """What is wrong with the file, or nothing."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options)
    (output,) = session.run(None, {"x": picture.numpy()})
    io = path.with_suffix(".safetensors")
    save_file({"input": picture.numpy(), "output": output}, io)
    told = subprocess.run([vitrum, "inspect", str(path), "--json"],
                          capture_output=True, text=True, check=True)
    info = json.loads(told.stdout)
    if info["family"] != family:
        return f"{info['family']}: {'; '.join(info['notes'])}"
    done = subprocess.run([vitrum, "verify", str(path), "--golden", str(io)],
                          capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vitrum", required=True)
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    # Sizes in the graph, as the published networks' own code leaves them there.
    for module in (swinir, elan):
        module.pad_to_multiple = make_onnx_cases.pad_openly
    failed = 0
    for name, (family, network, config, size, values) in CASES.items():
        model = make(network, config)
        picture = values * torch.rand(size)
        for how, arguments in EXPORTS.items():
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder) / "model.onnx"
                with torch.inference_mode():
                    torch.onnx.export(model, (picture,), path,
                                      input_names=["x"], verbose=False,
                                      **arguments)
                wrong = {"": check(args.vitrum, path, family, picture)}
                if onnxsim is not None and how != "dynamo 18, open":
                    onnx.save(onnxsim.simplify(onnx.load(path))[0], path)
                    wrong[", onnxsim"] = check(args.vitrum, path, family,
                                               picture)
            for tool, text in wrong.items():
                print(f"{name}, {how}{tool}: {text or 'recognised'}",
                      flush=True)
                failed += bool(text)
    if failed:
        sys.exit(f"{failed} exports are not recognised")


if __name__ == "__main__":
    main()
