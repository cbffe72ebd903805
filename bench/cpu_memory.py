# SPDX-License-Identifier: Apache-2.0
"""Peak resident memory of one run on the CPU, each engine in its own process.

    python bench/cpu_memory.py --vitrum build/release/bin/vitrum

The same networks, files and engines as cpu.py.  Besides the whole process it
prints what the network itself took: the peak less what the process held with
its libraries loaded and no network yet, which for vitrum is the peak of
`vitrum --version`.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

# VmHWM, not getrusage's ru_maxrss: that one starts at the peak of the process
# that forked this one.
COMMON = """
import sys
def resident(field="VmRSS:"):
    for line in open("/proc/self/status"):
        if line.startswith(field):
            return int(line.split()[1]) / 1024
def report():
    peak = resident("VmHWM:")
    print(peak, peak - idle)
"""

# Each sees: folder of the case's files, threads, and the case's name.
PROGRAMS = {
    "PyTorch eager": """
sys.path.insert(0, sys.argv[4])
import cpu, numpy, torch
torch.set_num_threads(int(sys.argv[2]))
idle = resident()
network, config, *_ = cpu.CASES[sys.argv[3]]
model = network(**config).eval()
model.load_state_dict(torch.load(sys.argv[1] + "/state.pth", mmap=True,
                                 weights_only=True)["params"], assign=True)
with torch.inference_mode():
    model(torch.from_numpy(numpy.load(sys.argv[1] + "/x.npy")))
""",
    "ONNX Runtime": """
import numpy, onnxruntime
idle = resident()
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(sys.argv[2])
session = onnxruntime.InferenceSession(sys.argv[1] + "/model.onnx", options,
                                       providers=["CPUExecutionProvider"])
session.run(None, {"input": numpy.load(sys.argv[1] + "/x.npy")})
""",
    "OpenVINO": """
import numpy, openvino
idle = resident()
compiled = openvino.Core().compile_model(
    sys.argv[1] + "/" + open(sys.argv[1] + "/openvino").read(), "CPU",
    {"INFERENCE_NUM_THREADS": int(sys.argv[2]),
     "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"})
compiled.create_infer_request().infer([numpy.load(sys.argv[1] + "/x.npy")])
""",
}


def peak_of_python(program, folder, threads, name):
    """MiB of the whole process, and beyond its idle libraries."""
    here = str(pathlib.Path(__file__).resolve().parent)
    done = subprocess.run(
        [sys.executable, "-c", COMMON + program + "report()", str(folder),
         str(threads), name, here], capture_output=True, text=True)
    if done.returncode:
        return None
    return [float(v) for v in done.stdout.split()[-2:]]


def idle_of_vitrum(program):
    """MiB of a process that does nothing; its parent must be a small one."""
    measure = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""
    done = subprocess.run([sys.executable, "-c", measure, program, "--version"],
                          capture_output=True, text=True, check=True)
    return float(done.stdout)


def peak_of_vitrum(program, folder, threads, size):
    done = subprocess.run(
        [program, "bench", str(folder / "model.pth"), "--size",
         f"{size[0]}x{size[1]}", "--batch", "1", "--threads", str(threads),
         "--warm-up", "0", "--duration", "0", "--iterations", "1", "--json"],
        capture_output=True, text=True, check=True)
    peak = json.loads(done.stdout)["results"][0]["peak_resident_bytes"] / 2**20
    return [peak, peak - idle_of_vitrum(program)]


def write_case(name, folder):
    import cpu
    case = cpu.Case(name, folder)
    (folder / "state.pth").symlink_to(case.state)
    (folder / "model.pth").symlink_to(case.checkpoint)
    if case.onnx:
        (folder / "model.onnx").symlink_to(case.onnx)
    (folder / "openvino").write_text(case.openvino.name)
    np.save(folder / "x.npy", case.x.numpy())
    return case.size


def main():
    import cpu
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vitrum", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--case", choices=list(cpu.CASES), action="append")
    args = parser.parse_args()
    for name in args.case or cpu.CASES:
        with tempfile.TemporaryDirectory() as place:
            folder = pathlib.Path(place)
            size = write_case(name, folder)
            rows = {engine: peak_of_python(program, folder, args.threads, name)
                    for engine, program in PROGRAMS.items()}
            rows["vitrum"] = peak_of_vitrum(args.vitrum, folder, args.threads,
                                            size)
        print(f"\n{name}\n{'engine':16}{'process MiB':>12}{'network MiB':>13}"
              f"{'of PyTorch':>12}")
        for engine, row in rows.items():
            if row is None:
                print(f"{engine:16}{'did not run':>12}")
                continue
            share = row[1] / rows["PyTorch eager"][1]
            print(f"{engine:16}{row[0]:12.1f}{row[1]:13.1f}{share:12.2f}")


if __name__ == "__main__":
    main()
