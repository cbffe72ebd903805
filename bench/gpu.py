# SPDX-License-Identifier: Apache-2.0
"""Networks on an NVIDIA GPU: PyTorch eager, torch.compile and vitrum, interleaved.

    pip install torch numpy safetensors
    python bench/gpu.py --vitrum build/cuda-release/bin/bench_networks

The networks have random weights: the time does not depend on them.  Every
round times each engine once, in an order that turns, by CUDA events and
without copies of the picture to the GPU and of the result back; "with copies" is
vitrum's whole run, by its own clock.  Errors are max|y - y'| / std(y') against
PyTorch's float32.  torch.compile takes minutes: --compile asks for it.
"""

import argparse
import copy
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "zoo"))
import elan  # noqa: E402
import mst  # noqa: E402
import swinir  # noqa: E402


def make_elan(**config):
    """A head that brings pixels, which deviate by 70, to about 1, as training
    does: at 70 softmax turns rounding errors into other answers."""
    model = elan.Elan(**config)
    model.head[0].weight.data /= 64
    return model


MEDIUM = dict(embed_dim=180, depths=(6,) * 6, num_heads=(6,) * 6)
# The network, its configuration, batch, height and width, its values' range.
CASES = {
    "MST++ 482x512": (mst.MSTPlusPlus, {}, (1, 482, 512), 1),
    "MST++ 482x512, batch 8": (mst.MSTPlusPlus, {}, (8, 482, 512), 1),
    "SwinIR-S x2 256x256": (
        swinir.SwinIR, dict(swinir.LIGHTWEIGHT, upscale=2), (1, 256, 256), 1),
    "SwinIR-M x4 256x256": (
        swinir.SwinIR, dict(MEDIUM, upscale=4, upsampler="pixelshuffle", img_size=64), (1, 256, 256), 1),
    "SwinIR-M denoising 512x512": (
        swinir.SwinIR, dict(MEDIUM, upscale=1, upsampler="", img_size=128), (1, 512, 512), 1),
    "ELAN-light x4 180x320": (make_elan, dict(elan.LIGHT, scale=4), (1, 180, 320), 255),
    "ELAN x4 256x256": (make_elan, dict(elan.FULL, scale=4), (1, 256, 256), 255),
}


class Torch:
    """A network as PyTorch runs it: `half`, or float32 with TF32 or without."""

    def __init__(self, case, compiled=False, half=False, tf32=False):
        self.tf32 = tf32
        model = copy.deepcopy(case.model).half() if half else case.model
        self.model = torch.compile(model) if compiled else model
        self.x = case.x.half() if half else case.x
        self.case = case

    def __call__(self):
        torch.backends.cuda.matmul.allow_tf32 = self.tf32
        torch.backends.cudnn.allow_tf32 = self.tf32
        with torch.inference_mode():
            return self.model(self.x)

    def round(self, iterations):
        for _ in range(2):
            self()
        times = []
        for _ in range(iterations):
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            self()
            end.record()
            end.synchronize()
            times.append(begin.elapsed_time(end))
        return {"p50_ms": statistics.median(times), "min_ms": min(times)}

    def facts(self):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        y = self()
        return {"error": self.case.error(y), "peak_bytes": torch.cuda.max_memory_allocated()}


class Vitrum:
    def __init__(self, case, program, precision):
        n, h, w = case.size
        self.command = [program, str(case.checkpoint), "--device", "cuda", "--precision", precision, "--batch", str(n),
                        "--size", f"{h}x{w}", "--json"]
        self.golden = str(case.golden)

    def ask(self, *more):
        done = subprocess.run([*self.command, *more], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"vitrum: {done.stderr}")
        return json.loads(done.stdout)

    def round(self, iterations):
        answer = self.ask()
        return {"p50_ms": answer["compute_ms"], "min_ms": answer["compute_ms"], "latency_ms": answer["p50_ms"]}

    def facts(self):
        answer = self.ask("--golden", self.golden)
        return {"error": answer["error"], "first_ms": answer["first_ms"],
                "peak_bytes": answer["arena_bytes"] + answer["weight_bytes"]}


class Case:
    def __init__(self, name, folder):
        network, config, self.size, values = CASES[name]
        torch.manual_seed(1)
        self.model = network(**config).eval()
        for p in self.model.parameters():
            if p.dim() == 1:
                p.data += 0.05 * torch.randn_like(p)
        stem = folder / "".join(c if c.isalnum() else "_" for c in name)
        self.checkpoint = stem.with_suffix(".pth")
        torch.save({"params": self.model.state_dict()}, self.checkpoint)
        self.model.cuda()
        self.x = values * torch.rand(self.size[0], 3, *self.size[1:], device="cuda")
        self.y = Torch(self)().float()
        self.golden = stem.with_suffix(".io.safetensors")
        save_file({"input": self.x.cpu(), "output": self.y.cpu().contiguous()}, self.golden)

    def error(self, y):
        return float((y.float() - self.y).abs().max() / self.y.std())


def engines(case, args):
    made = {"eager fp32": Torch(case), "eager fp16": Torch(case, half=True)}
    if args.compile:
        made["torch.compile tf32"] = Torch(case, compiled=True, tf32=True)
        made["torch.compile fp16"] = Torch(case, compiled=True, half=True)
    for precision in args.precision:
        made[f"vitrum {precision}"] = Vitrum(case, args.vitrum, precision)
    return made


def measure(case, args):
    made = engines(case, args)
    names = list(made)
    rounds = {name: [] for name in names}
    result = {name: made[name].facts() for name in names}
    for i in range(args.rounds):
        for j in range(len(names)):
            name = names[(i + j) % len(names)]
            rounds[name].append(made[name].round(args.iterations))
    for name, rs in rounds.items():
        result[name]["median_ms"] = statistics.median(r["p50_ms"] for r in rs)
        result[name]["min_ms"] = min(r["min_ms"] for r in rs)
        if "latency_ms" in rs[0]:
            result[name]["latency_ms"] = statistics.median(r["latency_ms"] for r in rs)
    return result


def ceilings():
    """What this GPU can do at most: a copy, counted read and written, and a product of matrices in FP16."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.float16) for _ in range(2))
    source = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)

    def seconds(run):
        for _ in range(3):
            run()
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(10):
            run()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / 1e4

    return {"copy_tb_per_s": 2 * source.numel() / seconds(lambda: target.copy_(source)) / 1e12,
            "fp16_tflops": 2 * 8192**3 / seconds(lambda: a @ b) / 1e12}


def show(name, result):
    print(f"\n{name}\n{'engine':20}{'median ms':>11}{'min ms':>10}{'error':>10}{'peak MiB':>10}{'first ms':>10}"
          f"{'with copies':>13}")
    for engine, e in result.items():
        first = f"{e['first_ms']:10.1f}{e['latency_ms']:13.3f}" if "first_ms" in e else ""
        print(f"{engine:20}{e['median_ms']:11.3f}{e['min_ms']:10.3f}{e['error']:10.1e}{e['peak_bytes'] / 2**20:10.0f}"
              f"{first}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vitrum", required=True, help="the program bench_networks")
    parser.add_argument("--precision", nargs="+", default=["fp32", "tf32", "fp16"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--case", choices=list(CASES), action="append")
    parser.add_argument("--compile", action="store_true", help="torch.compile, too")
    parser.add_argument("--json", type=pathlib.Path, help="write JSON here")
    args = parser.parse_args()
    report = {"device": torch.cuda.get_device_name(), "torch": torch.__version__, **ceilings(), "cases": {}}
    print({k: v for k, v in report.items() if k != "cases"}, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in args.case or CASES:
            report["cases"][name] = measure(Case(name, pathlib.Path(folder)), args)
            show(name, report["cases"][name])
            torch.compiler.reset()
            torch.cuda.empty_cache()
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
