# SPDX-License-Identifier: Apache-2.0
"""The cases of tests/data: checkpoints and what PyTorch answers for them."""

import json
import pathlib

import numpy as np

DATA = pathlib.Path(__file__).resolve().parents[1] / "data"
ZOO = DATA.parents[1] / "zoo"
NAMES = sorted(p.name.removesuffix(".io.safetensors") for p in DATA.glob("*.io.safetensors"))

TYPES = {"F32": np.float32, "F16": np.float16, "I64": np.int64}


def checkpoint(name):
    for suffix in (".pth", ".pt", ".safetensors", ".pkl", ""):
        path = DATA / (name + suffix)
        if path.exists():
            return path
    raise FileNotFoundError(name)


def read_safetensors(path):
    """The tensors and the metadata."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = (start + offset for offset in entry["data_offsets"])
        array = np.frombuffer(data[begin:end], TYPES[entry["dtype"]])
        tensors[name] = array.reshape(entry["shape"])
    return tensors, metadata


class Golden:
    """Inputs and outputs by name, and how far an answer may be off."""

    def __init__(self, name):
        """A case of tests/data, or the path of an .io.safetensors."""
        path = name if isinstance(name, pathlib.Path) else DATA / f"{name}.io.safetensors"
        tensors, metadata = read_safetensors(path)
        self.inputs = {k: v for k, v in tensors.items() if k.startswith("input")}
        self.outputs = {k: v for k, v in tensors.items() if k.startswith("output")}
        noise = metadata.get("float32_noise", "unknown")
        self.limit = max(1e-4, 16 * (0 if noise == "unknown" else float(noise)))

    def error(self, answer):
        """The largest normalised error of the outputs."""
        if not isinstance(answer, dict):
            answer = {next(iter(self.outputs)): answer}
        assert set(answer) == set(self.outputs)
        errors = []
        for name, expected in self.outputs.items():
            found = np.asarray(answer[name])
            assert found.shape == expected.shape
            errors.append(abs(found - expected).max() / expected.std())
        return np.max(errors)  # NaN where one is

    def check(self, answer):
        assert self.error(answer) < self.limit


def widened(name, channels, wanted):
    """A case's network with `wanted` channels in the place of `channels`, of which its own are multiples, and small
    random weights: real spectral networks have 31 bands or 28, the cases few."""
    rng = np.random.default_rng(7)
    state = {}
    for key, value in read_safetensors(checkpoint(name))[0].items():
        shape = [
            size // channels * wanted if i < 2 and size % channels == 0 else size
            for i, size in enumerate(value.shape)
        ]
        state[key] = 0.1 * rng.standard_normal(shape, np.float32)
    if "conv_in.weight" in state:
        state["conv_in.weight"] = state["conv_in.weight"][:, :3]
    return state
