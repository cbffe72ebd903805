# SPDX-License-Identifier: Apache-2.0
"""Feed recorded cases through every door of the package, at their limit.

    PYTHONPATH=build/dev/python python tests/slow/golden_doors.py --goldens DIR

A case is a folder with a checkpoint (model.*, or the folder hf) and what
PyTorch answered (io.safetensors).  The doors: calls with NumPy's arrays and
with tensors; the network as a PyTorch module through vitrum.compile and
through torch.compile; and its ONNX export.
"""

import argparse
import pathlib
import pickle
import sys
import tempfile
import warnings

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "zoo"), str(ROOT / "tests" / "python")]
try:
    import onnxscript  # noqa: F401
    import torch
    import transformers

    import cases
    import elan
    import mask2former
    import mst
    import swinir
    import vitrum
    import vitrum._dynamo as dynamo
except ImportError as error:
    print(f"skipped: {error}; pip install torch onnx onnxscript transformers")
    sys.exit(77)


def state_of(path):
    """The weights of a checkpoint, whatever it is wrapped in."""
    if path.suffix == ".pkl":  # detectron2's, of arrays
        state = pickle.loads(path.read_bytes())
    else:
        state = torch.load(path, map_location="cpu", weights_only=True)
    for key in ("params_ema", "params", "state_dict", "model_state_dict", "model"):
        if key in state:
            state = state[key]
    return {k.removeprefix("module."): torch.as_tensor(v).float() for k, v in state.items()}


def swinir_module(h, state):
    tail = state.get("conv_before_upsample.0.weight")
    network = swinir.SwinIR(
        in_chans=h["in_channels"],
        window_size=h["window_size"],
        img_size=6 * h["window_size"],  # whose masks the network holds: whole windows
        img_range=float(h["img_range"]),
        mlp_ratio=h["mlp_hidden"][0] / h["embed_dim"],
        upscale=h["scale"],
        upsampler="" if h["upsampler"] == "none" else h["upsampler"],
        resi_connection=h["resi_connection"],
        depths=h["depths"],
        embed_dim=h["embed_dim"],
        num_heads=h["num_heads"],
        num_feat=64 if tail is None else len(tail),
    )
    return swinir.load_into(network, state)


def elan_module(h, state):
    sizes = dict(scale=h["scale"], c_elan=h["c_elan"], m_elan=h["m_elan"], n_share=h["n_share"])
    network = elan.Elan(**sizes, r_expand=h["hidden"] // h["c_elan"], window_sizes=h["window_sizes"])
    return swinir.load_into(network, state)


def mst_module(h, state):
    network = mst.CassiMST if h["in_channels"] == mst.CASSI_BANDS else mst.MST
    return swinir.load_into(network(num_blocks=h["num_blocks"]), state)


def mstpp_module(h, state):
    return swinir.load_into(mst.MSTPlusPlus(stage=h["stages"], num_blocks=h["num_blocks"]), state)


def mask2former_module(h, state):
    """Hugging Face's network for what is under detectron2's names."""
    sizes = dict(embed_dim=h["embed_dim"], depths=h["depths"], num_heads=h["num_heads"], window_size=h["window_size"])
    model = mask2former.Network(
        mask2former.swin(**sizes),
        h["classes"],
        num_queries=h["queries"],
        hidden_dim=h["hidden_dim"],
        feature_size=h["feature_dim"],
        mask_feature_size=h["mask_dim"],
        encoder_layers=h["encoder_layers"],
        encoder_feedforward_dim=h["encoder_hidden"],
        decoder_layers=h["decoder_layers"] + 1,
        dim_feedforward=h["decoder_hidden"],
        num_attention_heads=h["attention_heads"],
    ).model.double()
    # A network whose every weight is a number of its own shows where each goes.
    weights = {k: v for k, v in model.state_dict().items() if v.is_floating_point()}
    values = torch.full((sum(map(torch.numel, weights.values())),), torch.nan)
    parts = values.split([w.numel() for w in weights.values()])
    for weight, numbers in zip(weights.values(), torch.arange(len(values)).split([len(p) for p in parts])):
        weight.copy_(numbers.view_as(weight))
    for key, numbers in mask2former.detectron2_state(model).items():
        if not key.startswith("criterion."):  # of training
            values[numbers.long().flatten()] = state[key].flatten()
    for weight, part in zip(weights.values(), parts):
        weight.copy_(part.view_as(weight))
    return model.float()


MODULES = {
    "Mask2Former": mask2former_module,
    "SwinIR": swinir_module,
    "ELAN": elan_module,
    "MST": mst_module,
    "MST++": mstpp_module,
}


def value_of(text):
    """A hyper-parameter's number, list of numbers, or text."""
    parts = text.split(", ")
    if not all(part.isdigit() for part in parts):
        return text
    # Lists of one number do not occur in these cases.
    return int(text) if len(parts) == 1 else [int(part) for part in parts]


class Outputs(torch.nn.Module):
    """The two tensors that are compared, of what transformers gives."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        answer = self.model(pixel_values=x)
        return answer.class_queries_logits, answer.masks_queries_logits


def module_of(path):
    """The original network with a checkpoint's weights."""
    info = vitrum.load(path).info
    if path.name == "hf":
        return transformers.Mask2FormerForUniversalSegmentation.from_pretrained(path).eval()
    hyperparameters = {h.name: value_of(h.value) for h in info.hyperparameters}
    return MODULES[info.family](hyperparameters, state_of(path)).eval()


def as_dict(answer, golden):
    if isinstance(answer, transformers.utils.ModelOutput):
        answer = [answer.class_queries_logits, answer.masks_queries_logits]
    elif isinstance(answer, dict):
        answer = list(answer.values())
    elif not isinstance(answer, tuple):
        answer = [answer]
    return dict(zip(golden.outputs, answer))


def numpy_call(path, module, golden):
    return vitrum.compile(path)(*golden.inputs.values())


def torch_call(path, module, golden):
    return vitrum.compile(path)(**golden.tensors)


def torch_module(path, module, golden):
    return vitrum.compile(module)(*golden.tensors.values())


def torch_compile(path, module, golden):
    """What stays with PyTorch would be right, and no proof: it counts as a failure."""
    graphs = []

    def backend(graph, inputs, **named):
        graphs.append(dynamo.backend(graph, inputs, **named))
        return graphs[-1]

    torch._dynamo.reset()
    dynamo._said.clear()
    with torch.inference_mode():
        answer = torch.compile(module, backend=backend)(*golden.tensors.values())
    engines = [made for graph in graphs for made in graph._engines.values()]
    if not engines or None in engines:
        raise vitrum.Error(f"{engines.count(None)} of {len(engines)} graphs stayed with PyTorch: {dynamo._said}")
    return answer


def onnx_file(path, module, golden):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "network.onnx"
        network = Outputs(module) if isinstance(module, transformers.PreTrainedModel) else module
        with torch.no_grad():
            torch.onnx.export(network, tuple(golden.tensors.values()), str(file), dynamo=True, verbose=False)
        return vitrum.compile(file)(*golden.inputs.values())


DOORS = {
    "NumPy": numpy_call,
    "tensors": torch_call,
    "module": torch_module,
    "torch.compile": torch_compile,
    "ONNX": onnx_file,
}


def check(folder, doors):
    """A line, and how many doors failed."""
    golden = cases.Golden(folder / "io.safetensors")
    golden.tensors = {k: torch.tensor(v) for k, v in golden.inputs.items()}
    path = next(iter([*folder.glob("model.*"), folder / "hf"]))
    module = module_of(path)
    line, failed = [], 0
    for name, door in doors.items():
        try:
            error = golden.error(as_dict(door(path, module, golden), golden))
            is_right = error <= golden.limit
            line.append(f"{name} {error:.1e}{'' if is_right else ' FAILED'}")
        except Exception as error:
            is_right = False
            line.append(f"{name} FAILED ({str(error)[:300]})")
        failed += not is_right
    print(f"{folder.name} (limit {golden.limit:.1e}): {', '.join(line)}", flush=True)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--goldens", type=pathlib.Path, default=ROOT.parent / "shared" / "goldens")
    parser.add_argument("--door", action="append", choices=DOORS, help="only these")
    parser.add_argument("case", nargs="*", help="only these")
    args = parser.parse_args()
    folders = sorted(p.parent for p in args.goldens.glob("*/io.safetensors"))
    if not folders:
        print(f"skipped: no cases in {args.goldens}")
        return 77
    warnings.simplefilter("ignore")
    chosen = [folder for folder in folders if not args.case or folder.name in args.case]
    doors = {name: DOORS[name] for name in args.door or DOORS}
    failed = sum(check(folder, doors) for folder in chosen)
    print(f"{len(chosen)} cases, {failed} failures")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
