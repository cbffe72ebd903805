# SPDX-License-Identifier: Apache-2.0
"""Make tests/data/formats: small checkpoints for the tests of the readers.

    python make_format_cases.py ../tests/data/formats

Beside each readable NAME.pth stands NAME.json with what a reader has to find:
    {"tensors": {"path.through.containers":
                 {"dtype": "float32", "shape": [2, 3], "values": {"0": 1.5, …}}}}
`values` maps indices into the row-major tensor to a few of its elements.
Those whose names begin with `bad_` are hostile or damaged and must be refused:
NAME.json then holds {"refuse": why}, and reading one must run nothing.
exhausting_*.pth hold no tensor but 20000 nested lists, and 2^60 elements for a
reader that walks shared tuples again and again: it may find nothing or refuse,
quickly.
"""

import argparse
import io
import json
import pathlib
import pickle
import struct
import zipfile
from collections import OrderedDict

import torch

# Names of the tensors of each type.
NAMES = {torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16",
         torch.float64: "f64", torch.int64: "i64", torch.int32: "i32",
         torch.uint8: "u8", torch.bool: "bool"}
# What bad_*.pth would leave behind in the working directory if it were run.
WITNESS = "vitrum_was_here"


def walk(value, path=""):
    """(path, tensor) of all that is inside dictionaries, lists and tuples."""
    if isinstance(value, torch.Tensor):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from walk(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for i, inner in enumerate(value):
            yield from walk(inner, f"{path}.{i}" if path else str(i))


def describe(tensor):
    flat = tensor.detach().reshape(-1)
    few = sorted({0, 1, len(flat) // 2, len(flat) - 1} & set(range(len(flat))))
    return {"dtype": str(tensor.dtype).removeprefix("torch."), "shape": list(tensor.shape),
            "values": {str(i): flat[i].item() for i in few}}


def write_json(path, content):
    path.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n")


def ramp(*shape, dtype=torch.float32):
    n = torch.Size(shape).numel()
    return (torch.arange(n).reshape(shape) * 0.25 - 1.5).to(dtype)


def dtypes():
    floats = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
    state = OrderedDict((NAMES[d], ramp(3, 5, dtype=d)) for d in floats)
    state["i64"] = torch.arange(-3, 4) * 2 ** 40
    state["i32"] = torch.arange(-3, 4, dtype=torch.int32) * 2 ** 20
    state["u8"] = torch.arange(256, dtype=torch.uint8).view(16, 16)
    state["bool"] = torch.tensor([True, False, False, True, True])
    return state


def layouts():
    base = ramp(6, 8)
    return {"whole": base, "transposed": base.t(), "column": base[:, 3],
            "window": base[1:4, 2:7], "strided": base[::2, ::3],
            "permuted": ramp(2, 3, 4, 5).permute(3, 1, 0, 2),
            "expanded": ramp(1, 4).expand(3, 4),
            "channels_last": ramp(2, 3, 4, 4).contiguous(
                memory_format=torch.channels_last)}


def shapes():
    return {"scalar": torch.tensor(2.5), "scalar_i64": torch.tensor(-7),
            "empty": torch.empty(0), "empty_matrix": torch.empty(3, 0, 2),
            "one": torch.tensor([[[[4.0]]]]), "seven": ramp(1, 2, 1, 2, 1, 2, 1)}


def nesting():
    part = torch.nn.Linear(2, 3)
    with torch.no_grad():
        part.weight.copy_(ramp(3, 2))
        part.bias.copy_(ramp(3))
    return {"epoch": 12, "lr": 2e-4, "name": "näme ☂", "flag": True,
            "nothing": None, "big": 2 ** 70, "bytes": b"\x00\xff",
            "meta": {"history": [1, 2.5, "x"], "size": torch.Size([3, 4])},
            "params": OrderedDict(part.state_dict()),
            "parameter": torch.nn.Parameter(ramp(2, 2)),
            "frozen": torch.nn.Parameter(ramp(2), requires_grad=False),
            "list": [ramp(2), (ramp(3), {"deep": ramp(1, 2)})]}


def optimiser():
    """What a training checkpoint holds beside the weights."""
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(ramp(*p.shape))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return {"state_dict": OrderedDict(
        ("module." + k, v) for k, v in model.state_dict().items()),
        "optimizer": optimizer.state_dict()}


READABLE = {"dtypes": dtypes, "layouts": layouts, "shapes": shapes,
            "nesting": nesting, "optimiser": optimiser}


def make_readable(folder):
    for name, build in READABLE.items():
        content = build()
        tensors = {k: describe(v) for k, v in walk(content)}
        for kind, modern in (("zip", True), ("legacy", False)):
            path = folder / f"{name}_{kind}.pth"
            torch.save(content, path, _use_new_zipfile_serialization=modern)
            write_json(path, {"tensors": tensors})
    path = folder / "protocol4_zip.pth"
    content = {"weight": ramp(4, 3), "text": "x" * 300}
    torch.save(content, path, pickle_protocol=4)
    write_json(path, {"tensors": {k: describe(v) for k, v in walk(content)}})


class Call:
    """Pickles as a call of `function`, which unpickling would perform."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


def call_pickle(module, name, *args):
    """A call whose target is named in text, so that no import is needed."""
    body = b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"("
    for a in args:
        data = a.encode()
        body += b"X" + struct.pack("<I", len(data)) + data
    return body + b"tR."


def short(text):
    """SHORT_BINUNICODE."""
    return b"\x8c" + bytes([len(text)]) + text.encode()


def torch_zip(data, records=()):
    """A torch archive around any pickle; torch stores without compression."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as z:
        stamp = (1980, 1, 1, 0, 0, 0)
        for name, content in [("data.pkl", data), ("version", b"3\n"),
                              ("byteorder", b"little"), *records]:
            z.writestr(zipfile.ZipInfo(f"archive/{name}", stamp), content)
    return buffer.getvalue()


def torch_legacy(data):
    """The legacy layout: magic number, protocol, system, pickle, no keys."""
    head = [0x1950A86A20F9469CFC6C, 1001,
            {"protocol_version": 1001, "little_endian": True,
             "type_sizes": {"short": 2, "int": 4, "long": 4}}]
    return (b"".join(pickle.dumps(h, 2) for h in head) + data
            + pickle.dumps([], 2))


def storage_pickle(elements, shape, stride, offset=0, key="0"):
    """A state dict of one tensor over a storage said to have `elements`."""
    def number(i):
        return b"J" + struct.pack("<i", i)

    def tuple_of(ns):
        return b"(" + b"".join(number(n) for n in ns) + b"t"

    def text(s):
        return b"X" + struct.pack("<I", len(s)) + s.encode()

    persistent = (b"(" + text("storage") + b"ctorch\nFloatStorage\n"
                  + text(key) + text("cpu") + number(elements) + b"tQ")
    return (b"\x80\x02}" + text("weight")
            + b"ctorch._utils\n_rebuild_tensor_v2\n(" + persistent
            + number(offset) + tuple_of(shape) + tuple_of(stride)
            + b"\x89ccollections\nOrderedDict\n)RtRs.")


def hostile():
    touch = f"touch {WITNESS}"
    python = f"open({WITNESS!r}, 'w')"
    system = call_pickle("os", "system", touch)
    nested = pickle.dumps(
        {"params": {"conv.weight": [1, Call(eval, python)]}}, 2)
    # STACK_GLOBAL follows dots: an allowed module is a way to any other.
    dotted = (b"\x80\x04" + short("torch.serialization") + short("os.system")
              + b"\x93" + short(touch) + b"\x85R.")
    return {
        "os_system": system,
        "posix_system": call_pickle("posix", "system", touch),
        "eval": call_pickle("builtins", "eval", python),
        "py2_eval": call_pickle("__builtin__", "eval", python),
        "exec": call_pickle("builtins", "exec", python),
        "subprocess": call_pickle("subprocess", "getoutput", touch),
        "torch_load": call_pickle("torch", "load", WITNESS),
        "getattr": call_pickle("builtins", "getattr", "os", "system"),
        "nested_eval": nested,
        "dotted_name": dotted,
    }


def endless_pickle():
    """Lists in lists, deeper than a recursive reader's stack."""
    depth = 20000
    return b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b"."


def billion_laughs():
    """Memoised tuples that double 60 times when written out in full."""
    body = b"\x80\x02)q\x00"
    for i in range(60):
        body += b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86q" + bytes([i + 1])
    return body + b"."


def damaged():
    """name -> (file, why)."""
    values = struct.pack("<6f", *range(6))
    data = [("data/0", values)]
    good = torch_zip(storage_pickle(6, (2, 3), (3, 1)), data)

    def bad(*args, records=data, **kw):
        return torch_zip(storage_pickle(*args, **kw), records)

    return {
        "truncated_half": (good[:len(good) // 2], "the archive's end is cut"),
        "truncated_tail": (good[:-10], "the archive's end is cut"),
        "empty_file": (b"", "an empty file"),
        "missing_storage": (bad(6, (2, 3), (3, 1), key="1"),
                            "the storage it names is not there"),
        "short_storage": (bad(600, (20, 30), (30, 1)),
                          "the storage is smaller than said"),
        "beyond_storage": (bad(6, (3, 3), (3, 1)),
                           "the tensor reaches beyond its storage"),
        "beyond_offset": (bad(6, (2, 3), (3, 1), offset=4),
                          "the tensor reaches beyond its storage"),
        "negative_offset": (bad(6, (2, 3), (3, 1), offset=-1),
                            "a negative offset"),
        "negative_size": (bad(6, (-2, 3), (3, 1)), "a negative size"),
        "overflowing_size": (bad(6, (2 ** 31 - 1,) * 3, (0, 0, 0)),
                             "the number of elements overflows"),
        "rank_mismatch": (bad(6, (2, 3), (1,)), "sizes and strides differ"),
        "cut_pickle": (torch_zip(storage_pickle(6, (2, 3), (3, 1))[:-20], data),
                       "the pickle ends in the middle"),
    }


def make_exhausting(folder):
    for name, data in (("deep", endless_pickle()),
                       ("doubling", billion_laughs())):
        path = folder / f"exhausting_{name}.pth"
        path.write_bytes(torch_zip(data))
        write_json(path, {"tensors": {}, "may_refuse": True})


def make_bad(folder):
    for name, data in hostile().items():
        for kind, wrap in (("zip", torch_zip), ("legacy", torch_legacy)):
            path = folder / f"bad_{name}_{kind}.pth"
            path.write_bytes(wrap(data))
            write_json(path, {"refuse": "its pickle calls a function that "
                                        "builds no tensor"})
    for name, (content, why) in damaged().items():
        path = folder / f"bad_{name}.pth"
        path.write_bytes(content)
        write_json(path, {"refuse": why})
    legacy = (folder / "dtypes_legacy.pth").read_bytes()
    for name, size in (("header", 40), ("half", len(legacy) // 2),
                       ("tail", len(legacy) - 10)):
        path = folder / f"bad_legacy_{name}.pth"
        path.write_bytes(legacy[:size])
        write_json(path, {"refuse": "a legacy file whose end is cut"})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    make_readable(folder)
    make_exhausting(folder)
    make_bad(folder)
    files = list(folder.glob("*.pth"))
    print(len(files), "files,", sum(f.stat().st_size for f in files), "bytes")


if __name__ == "__main__":
    main()
