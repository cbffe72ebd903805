# SPDX-License-Identifier: Apache-2.0
"""Export small networks of every family in every way and expect vitrum to
recognise them, to make of them what it makes of the networks' own checkpoints,
operator by operator, and to agree with ONNX Runtime.

    python tests/slow/onnx_exports.py --vitrum build/dev/bin/vitrum [--case NAME]
        [--exports FOLDER]

Both of PyTorch's exporters, several opsets, fixed and open sizes; again after
onnxsim where that is installed.  Where ONNX Runtime cannot run a file, the
outputs are PyTorch's.  Exporting takes most of the time: files in the folder
that --exports names are kept, and are not made again.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings
from itertools import zip_longest

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
    import mask2former
    import mst
    import swinir
except ImportError as error:
    print(f"skipped: {error}; pip install torch onnx onnxscript onnxruntime "
          "transformers scipy safetensors")
    sys.exit(77)
try:
    import onnxsim
except ImportError:
    onnxsim = None

SMALL = dict(embed_dim=24, depths=(2, 2), num_heads=(3, 3))

SEGMENTER = dict(num_queries=10, hidden_dim=64, feature_size=64,
                 mask_feature_size=64, encoder_layers=2, decoder_layers=4,
                 encoder_feedforward_dim=48, dim_feedforward=64)


def swin_segmenter(**sizes):
    return mask2former.Network(mask2former.swin(
        embed_dim=12, depths=[1, 2, 1, 1], num_heads=[1, 2, 2, 4],
        window_size=4), 6, **sizes)


def resnet_segmenter(**sizes):
    return mask2former.Network(mask2former.resnet(
        depths=[1, 1, 1, 1], embedding_size=16,
        hidden_sizes=[32, 48, 64, 96]), 6, **sizes)


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
    "mst": ("MST", mst.MST, dict(dim=8, num_blocks=(1, 2, 1)),
            (1, 3, 24, 32), 1),
    "cassi": ("MST", mst.CassiMST, dict(dim=8, num_blocks=(1, 1)),
              (1, 8, 32, 32), 1),
    "mask2former": ("Mask2Former", swin_segmenter, SEGMENTER,
                    (1, 3, 96, 128), 1),
    "mask2former, resnet": ("Mask2Former", resnet_segmenter, SEGMENTER,
                            (1, 3, 96, 128), 1),
}
# PyTorch has scaled_dot_product_attention from opset 14 on.
OLDEST_OPSET = {"mask2former": 14, "mask2former, resnet": 14}

# The arguments of the export.
EXPORTS = {
    "script 11": dict(dynamo=False, opset_version=11),
    "script 13, open": dict(dynamo=False, opset_version=13),
    "script 17": dict(dynamo=False, opset_version=17),
    "script 17, open": dict(dynamo=False, opset_version=17),
    "dynamo 18": dict(dynamo=True, opset_version=18, external_data=False),
    "dynamo 18, open": dict(dynamo=True, opset_version=18,
                            external_data=False),
    "dynamo 20": dict(dynamo=True, opset_version=20, external_data=False),
}


def with_open_sides(arguments, names):
    """The batch stays fixed for the dynamo exporter, which fixes one of 1."""
    if arguments["dynamo"]:
        sides = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
        return dict(arguments, dynamic_shapes=tuple(sides for _ in names))
    axes = {name: {0: "batch", 2: f"{name}_height", 3: f"{name}_width"}
            for name in names}
    return dict(arguments, dynamic_axes=axes)


def make(network, config):
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(3)
    model = network(**config).eval()
    if isinstance(model, elan.Elan):
        make_test_cases.randomise_elan(model, generator)
    elif isinstance(model, swinir.SwinIR):
        make_test_cases.randomise(model, generator)
    elif not isinstance(model, mask2former.Network):  # made random
        make_mst_cases.randomise(model, generator)
    return model


def inputs_of(model, size, values):
    if isinstance(model, mst.CassiMST):
        generator = torch.Generator().manual_seed(5)
        return make_mst_cases.inputs_of(model, (size[0], *size[2:]), generator)
    return {"input": values * torch.rand(size)}


def answers(path, model, inputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(str(path), options)
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        with torch.inference_mode():
            made = model(*inputs.values())
        made = [made] if isinstance(made, torch.Tensor) else made
        return [y.contiguous().numpy() for y in made]
    return session.run(None, {k: x.numpy() for k, x in inputs.items()})


def checkpoint_of(model, path):
    """The network as it is published."""
    if isinstance(model, mask2former.Network):
        model.model.save_pretrained(path)
    else:
        torch.save(model.state_dict(), path)
    return path


def inspected(vitrum, path):
    told = subprocess.run([vitrum, "inspect", str(path), "--graph", "--json"],
                          capture_output=True, text=True)
    return json.loads(told.stdout) if told.returncode == 0 else told.stderr


def check(vitrum, path, native, model, inputs):
    """What is wrong with the file, or nothing."""
    names = getattr(model, "outputs", ["output"])
    golden = dict(zip(names, answers(path, model, inputs)))
    io = path.with_suffix(".safetensors")
    save_file({**{k: x.numpy() for k, x in inputs.items()}, **golden}, io)
    info = inspected(vitrum, path)
    if isinstance(info, str):
        return info
    if info["family"] != native["family"]:
        return f"{info['family']}: {'; '.join(info['notes'])}"
    lines = zip_longest(info["graph"].splitlines(), native["graph"].splitlines())
    for ours, theirs in lines:
        if ours != theirs:
            return f"{ours}\ninstead of the checkpoint's\n{theirs}"
    done = subprocess.run([vitrum, "verify", str(path), "--golden", str(io)],
                          capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode else ""


def check_all(vitrum, name, folder):
    """How many exports of the case are wrong."""
    family, network, config, size, values = CASES[name]
    model = make(network, config)
    inputs = inputs_of(model, size, values)
    native = inspected(vitrum, checkpoint_of(model, folder / f"{name}.pth"))
    assert native["family"] == family, native
    names = dict(input_names=list(inputs), verbose=False,
                 output_names=list(getattr(model, "outputs", ["output"])))
    failed = 0
    for how, arguments in EXPORTS.items():
        if arguments["opset_version"] < OLDEST_OPSET.get(name, 0):
            continue
        if how.endswith("open"):
            arguments = with_open_sides(arguments, inputs)
        path = folder / f"{name}, {how}.onnx"
        if not path.exists():
            with torch.inference_mode():
                torch.onnx.export(model, tuple(inputs.values()), path,
                                  **names, **arguments)
        paths = [path]
        if onnxsim is not None and how != "dynamo 18, open":
            paths.append(simplified(path))
        for path in paths:
            text = check(vitrum, path, native, model, inputs)
            print(f"{path.stem}: {text or 'recognised'}", flush=True)
            failed += bool(text)
    return failed


def simplified(path):
    to = path.with_stem(f"{path.stem}, onnxsim")
    if not to.exists():
        onnx.save(onnxsim.simplify(onnx.load(path))[0], to)
    return to


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vitrum", required=True)
    parser.add_argument("--case", action="append", choices=CASES,
                        help="only these")
    parser.add_argument("--exports", type=pathlib.Path)
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    # Sizes in the graph, as the published networks' own code leaves them there.
    for module in (swinir, elan, mst):
        module.pad_to_multiple = make_onnx_cases.pad_openly
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.exports or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        failed = sum(check_all(args.vitrum, name, folder)
                     for name in args.case or CASES)
    if failed:
        sys.exit(f"{failed} exports are not recognised")


if __name__ == "__main__":
    main()
