# SPDX-License-Identifier: Apache-2.0
"""Networks on the CPU: PyTorch, ONNX Runtime, OpenVINO and vitrum, interleaved.

    pip install torch numpy safetensors onnx onnxruntime openvino transformers
    python bench/cpu.py --vitrum build/src/cli/vitrum --threads 2

The networks have random weights: the time does not depend on them.  Each round
measures every engine once, in an order that turns, so that what else happens
on the machine falls on all of them alike.  Every engine's answer is compared
with PyTorch's (vitrum's through `vitrum verify`).  FP32 throughout.
"""

import argparse
import json
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import torch
from safetensors.torch import save_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "zoo"))
import elan  # noqa: E402
import mst  # noqa: E402
import swinir  # noqa: E402

try:
    import mask2former
except ImportError as error:
    mask2former = None
    print(f"Mask2Former is left out: {error}", file=sys.stderr)

def make_elan(**config):
    """A head that brings pixels, which deviate by 70, to about 1, as training
    does: at 70 softmax turns rounding errors into other answers."""
    model = elan.Elan(**config)
    model.head[0].weight.data /= 64
    return model


# The network, its configuration, height and width, and its values' range.
CASES = {
    "SwinIR-S x2 128x128": (
        swinir.SwinIR, dict(swinir.LIGHTWEIGHT, upscale=2), (128, 128), 1),
    "SwinIR-M x4 64x64": (
        swinir.SwinIR,
        dict(upscale=4, upsampler="pixelshuffle", embed_dim=180, img_size=64,
             depths=(6,) * 6, num_heads=(6,) * 6), (64, 64), 1),
    "ELAN-light x4 96x96": (
        make_elan, dict(elan.LIGHT, scale=4), (96, 96), 255),
    "MST++ 128x128": (mst.MSTPlusPlus, {}, (128, 128), 1),
    "MST++ 482x512": (mst.MSTPlusPlus, {}, (482, 512), 1),
}
if mask2former:
    CASES["Mask2Former Swin-T 512x512"] = (
        mask2former.Network,
        dict(backbone=mask2former.swin(**mask2former.SWIN_T), classes=133),
        (512, 512), 1)


def as_list(outputs):
    return list(outputs) if isinstance(outputs, tuple) else [outputs]


class Torch:
    def __init__(self, case, threads):
        torch.set_num_threads(threads)
        self.case = case

    def __call__(self):
        with torch.inference_mode():
            return [y.numpy() for y in as_list(self.case.model(self.case.x))]


class OnnxRuntime:
    def __init__(self, case, threads):
        import onnxruntime
        if not case.onnx:
            raise NotImplementedError("the network cannot be exported to it")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(
            case.onnx, options, providers=["CPUExecutionProvider"])
        self.feed = {"input": case.x.numpy()}

    def __call__(self):
        return self.session.run(None, self.feed)


class OpenVino:
    def __init__(self, case, threads):
        import openvino
        self.compiled = openvino.Core().compile_model(
            str(case.openvino), "CPU",
            {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY",
             "INFERENCE_PRECISION_HINT": "f32"})
        self.request = self.compiled.create_infer_request()
        self.x = case.x.numpy()

    def __call__(self):
        answer = self.request.infer([self.x])
        return [answer[output] for output in self.compiled.outputs]


class Vitrum:
    """One process a round: it warms up, then reports its own latencies."""

    def __init__(self, case, threads, program, iterations):
        h, w = case.size
        model = str(case.checkpoint)
        self.command = [program, "bench", model, "--size", f"{h}x{w}",
                        "--batch", "1", "--threads", str(threads), "--json",
                        "--warm-up", "0.5", "--duration", "0",
                        "--iterations", str(iterations)]
        self.verify = [program, "verify", model, "--golden", str(case.golden)]

    def check(self):
        done = subprocess.run(self.verify, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"vitrum verify: {done.stdout}{done.stderr}")

    def measure(self):
        done = subprocess.run(self.command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"vitrum bench: {done.stderr}")
        latency = json.loads(done.stdout)["results"][0]["latency_ms"]
        return {"p50": latency["p50"], "min": latency["min"]}


class Case:
    """A network on disk in every form that an engine asks for."""

    def __init__(self, name, folder):
        network, config, self.size, values = CASES[name]
        torch.manual_seed(1)
        self.model = network(**config).eval()
        for p in self.model.parameters():
            if p.dim() == 1:
                p.data += 0.05 * torch.randn_like(p)
        self.x = values * torch.rand(1, 3, *self.size)
        with torch.inference_mode():
            self.y = as_list(self.model(self.x))
        stem = folder / name.replace(" ", "_")
        self.state = self.checkpoint = stem.with_suffix(".pth")
        torch.save({"params": self.model.state_dict()}, self.state)
        if hasattr(self.model, "save"):  # under names of its own
            self.checkpoint = stem.with_suffix(".published.pth")
            self.model.save(self.checkpoint)
        self.golden = stem.with_suffix(".io.safetensors")
        names = getattr(self.model, "outputs", ("output",))
        answers = {n: y.contiguous() for n, y in zip(names, self.y)}
        save_file({"input": self.x, **answers}, self.golden)
        self.export(stem, getattr(self.model, "exports_to_onnx", True))

    def export(self, stem, to_onnx):
        """For ONNX Runtime and OpenVINO, or for OpenVINO's own front end."""
        self.onnx = stem.with_suffix(".onnx") if to_onnx else None
        self.openvino = self.onnx or stem.with_suffix(".xml")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # sizes are meant to be constants
            if to_onnx:
                torch.onnx.export(self.model, (self.x,), str(self.onnx),
                                  input_names=["input"],
                                  output_names=["output"],
                                  opset_version=17, dynamo=False)
                return
            try:
                import openvino
            except ImportError:
                return  # and OpenVINO is left out
            converted = openvino.convert_model(
                self.model, example_input=self.x, input=list(self.x.shape))
            openvino.save_model(converted, self.openvino,
                                compress_to_fp16=False)

    def error(self, answer):
        return max(float(np.abs(a - y.numpy()).max() / y.std())
                   for a, y in zip(answer, self.y, strict=True))


def engines(case, args):
    made = {}
    for name, kind in (("PyTorch eager", Torch), ("ONNX Runtime", OnnxRuntime),
                       ("OpenVINO", OpenVino)):
        try:
            made[name] = kind(case, args.threads)
        except (ImportError, NotImplementedError) as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        error = case.error(made[name]())
        if error > 1e-3:
            raise SystemExit(f"{name} answers otherwise: {error:.1e}")
    if args.vitrum:
        made["vitrum"] = Vitrum(case, args.threads, args.vitrum,
                                args.iterations)
        made["vitrum"].check()
    return made


def one_round(engine, iterations):
    """Median and minimum in ms of a few runs after one that is not counted."""
    if isinstance(engine, Vitrum):
        return engine.measure()
    engine()
    times = []
    for _ in range(iterations):
        begin = time.perf_counter()
        engine()
        times.append(1e3 * (time.perf_counter() - begin))
    return {"p50": statistics.median(times), "min": min(times)}


def measure(case, args):
    made = engines(case, args)
    names = list(made)
    rounds = {name: [] for name in names}
    for i in range(args.rounds):
        for j in range(len(names)):
            name = names[(i + j) % len(names)]
            rounds[name].append(one_round(made[name], args.iterations))
    return {name: {"median_ms": statistics.median(r["p50"] for r in rs),
                   "min_ms": min(r["min"] for r in rs),
                   "round_medians_ms": [r["p50"] for r in rs]}
            for name, rs in rounds.items()}


def add_ratios(result, base):
    for entry in result.values():
        for kind in ("median", "min"):
            entry[f"{kind}_ratio"] = (result[base][f"{kind}_ms"]
                                      / entry[f"{kind}_ms"])


def show(name, result, base):
    print(f"\n{name}\n{'engine':16}{'median ms':>11}{'min ms':>10}"
          f"   speed against {base}: by median, by minimum")
    for engine, e in result.items():
        print(f"{engine:16}{e['median_ms']:11.1f}{e['min_ms']:10.1f}"
              f"{e['median_ratio']:12.2f}{e['min_ratio']:8.2f}")


def processor():
    try:
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vitrum", help="the program; left out without it")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--iterations", type=int, default=3)
    parser.add_argument("--case", choices=list(CASES), action="append")
    parser.add_argument("--base", default="OpenVINO")
    parser.add_argument("--json", type=pathlib.Path, help="write JSON here")
    args = parser.parse_args()
    report = {"processor": processor(), "threads": args.threads,
              "rounds": args.rounds, "iterations": args.iterations,
              "precision": "fp32", "cases": {}}
    with tempfile.TemporaryDirectory() as folder:
        for name in args.case or CASES:
            result = measure(Case(name, pathlib.Path(folder)), args)
            base = args.base if args.base in result else "PyTorch eager"
            add_ratios(result, base)
            show(name, result, base)
            report["cases"][name] = result
    text = json.dumps(report, indent=1)
    if args.json:
        args.json.write_text(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
