# SPDX-License-Identifier: Apache-2.0
"""What a call from Python costs beside the network itself.

    PYTHONPATH=build/dev/python python bench/python_call.py

The smallest networks of the tests on one pixel, on one thread, and a bundled
network on pictures of a useful size.  A round times `engine(x)` and
`Session.run` (engine.bench) in turn; what lies between their medians is the
way through Python: arguments, permutation in and out, the result's memory.
"""

import argparse
import json
import pathlib
import statistics
import time

import numpy as np

import vitrum

ROOT = pathlib.Path(__file__).resolve().parents[1]
CASES = [
    ("tests/data/mst_rgb_pixel.pth", 1, 1, 1),
    ("tests/data/swinir_classical_x3.pth", 1, 1, 1),
    ("tests/data/mask2former_swin_folder", 32, 32, 1),
    ("zoo/models/swinir_lightweight_x2.safetensors", 128, 128, 0),
]


def timed(call, seconds):
    call()
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 10:
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return 1e6 * statistics.median(times)


def measure(path, height, width, threads, seconds, rounds):
    engine = vitrum.compile(ROOT / path, threads=threads)
    arrays = {"numpy": np.random.default_rng(1).random((1, 3, height, width), np.float32)}
    try:
        import torch

        arrays["torch"] = torch.tensor(arrays["numpy"])
    except ImportError:
        pass
    added = {name: [] for name in arrays}
    alone = []
    for _ in range(rounds):
        for name, x in arrays.items():
            network = 1e3 * engine.bench(height, width, seconds=seconds).p50_ms
            alone.append(network)
            added[name].append(timed(lambda: engine(x), seconds) - network)
    return {
        "model": path,
        "height": height,
        "width": width,
        "threads": engine.threads,
        "network_us": statistics.median(alone),
        "added_us": {name: statistics.median(values) for name, values in added.items()},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.5, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    results = [measure(*case, args.seconds, args.rounds) for case in CASES]
    if args.json:
        print(json.dumps(results, indent=1))
        return
    for r in results:
        added = ", ".join(f"{name} {us:+.1f} us" for name, us in r["added_us"].items())
        print(f"{r['model']} {r['height']}x{r['width']}, {r['threads']} threads: "
              f"network {r['network_us']:.1f} us, {added}")


if __name__ == "__main__":
    main()
