# SPDX-License-Identifier: Apache-2.0
"""ONNX files on vitrum and on ONNX Runtime, value by value."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import _core
from ._compile import compile
from ._verify import AgainstReport
from .errors import Error, UsageError

try:
    import onnx
    import onnxruntime
except ImportError as error:
    raise Error(f"{error}: comparing with ONNX Runtime needs the packages onnx and onnxruntime") from error

ENGINE_OPTIONS = ("device", "threads", "isa", "precision")


def verify(
    path: str,
    size: tuple[int, int],
    layers: bool,
    tolerance: float,
    inputs: Mapping[str, Any] | None,
    options: Mapping[str, Any],
) -> AgainstReport:
    extents = {name: value for name, value in options.items() if name not in ENGINE_OPTIONS}
    engine = compile(path, **options)
    tolerance = tolerance or _core.error_limit(engine.precision)
    session = _session(path, optimised=True)
    fed = dict(inputs) if inputs is not None else _noise(session, size, extents, engine.info.value_range)
    expected = dict(zip((o.name for o in session.get_outputs()), session.run(None, fed)))
    outputs = _compared(expected, engine.evaluate(**fed), engine.info.value_range)
    found = _layers(path, fed, options) if layers else []
    passed = all(c.non_finite == 0 and c.normalised <= tolerance for c in outputs)
    return AgainstReport(outputs, found, tolerance, passed)


def _session(path: str, *, optimised: bool) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise Error(f"{path}: ONNX Runtime does not take it: {error}") from error


def _noise(
    session: Any, size: tuple[int, int], extents: Mapping[str, int], value_range: float
) -> dict[str, Any]:
    """Random inputs, open extents by their places in [N, C, H, W] of the first input, and by name."""
    random = np.random.default_rng(0)
    named = {name: int(value) for name, value in extents.items()}
    fed: dict[str, Any] = {}
    for port in session.get_inputs():
        shape = []
        for place, extent in enumerate(port.shape):
            if not isinstance(extent, int):
                extent = named.get(extent, None if fed else _size_at(place, len(port.shape), size))
            if extent is None:
                raise UsageError(
                    f'extent {place} of input "{port.name}" is open; say it by its name '
                    f"({port.shape[place] or 'inputs='}), or give inputs"
                )
            if isinstance(port.shape[place], str):
                named.setdefault(port.shape[place], extent)
            shape.append(extent)
        fed[port.name] = _random(random, port.type, shape, value_range)
    return fed


def _size_at(place: int, rank: int, size: tuple[int, int]) -> int | None:
    if rank >= 2 and place >= rank - 2:
        return size[place - rank]
    return 1 if rank == 4 and place == 0 else None


def _random(random: np.random.Generator, kind: str, shape: list[int], value_range: float) -> Any:
    """Of integers 0 and 1 only, which are places in nearly every table."""
    name = kind.removeprefix("tensor(").removesuffix(")")
    dtype = np.dtype({"float": "float32", "double": "float64"}.get(name, name))
    if dtype.kind == "f":
        return (random.random(shape, np.float32) * value_range).astype(dtype)
    return random.integers(0, 2, shape).astype(dtype)


def _layers(path: str, fed: Mapping[str, Any], options: Mapping[str, Any]) -> list[_core.TensorComparison]:
    """The values inside: both get a file in which they are outputs."""
    model = onnx.load(path)
    names = _values_inside(model.graph, fed)
    with tempfile.TemporaryDirectory(prefix="vitrum-") as folder:
        values = _reference_values(model, names, fed, Path(folder))
        kept = [name for name in names if _is_comparable(values[name])]
        if not kept:
            return []
        engine = compile(_with_outputs(model, kept, Path(folder) / "kept"), **options)
        found = engine.evaluate(**{name: fed[name] for name in engine.input_names})
    labels = {name: f"{node.op_type} {name}" for node in model.graph.node for name in node.output}
    return [
        _core.compare_tensors(labels[name], _flat(values[name]), _flat(found[name]), 1.0) for name in kept
    ]


def _values_inside(graph: Any, fed: Iterable[str]) -> list[str]:
    """What nodes make of the inputs, in the order of the graph; constants are no news."""
    depends = set(fed)
    inside = []
    for node in graph.node:
        # Branches and loops may read any value.
        if depends.intersection(node.input) or any(a.HasField("g") for a in node.attribute):
            inside += [name for name in node.output if name]
            depends.update(node.output)
    return inside


def _reference_values(model: Any, names: list[str], fed: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    session = _session(_with_outputs(model, names, folder / "all"), optimised=False)
    return dict(zip(names, session.run(names, dict(fed))))


def _with_outputs(model: Any, names: list[str], folder: Path) -> str:
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    del changed.graph.output[:]
    changed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    folder.mkdir()
    onnx.save(changed, folder / "model.onnx", save_as_external_data=True, location="weights")
    return str(folder / "model.onnx")


def _is_comparable(value: Any) -> bool:
    """Floating-point numbers that are no constant."""
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or value.size == 0:
        return False
    return bool(np.isfinite(value).all() and np.ptp(value) > 1e-6 * np.max(np.abs(value)))


def _compared(
    expected: Mapping[str, Any], found: Mapping[str, Any], value_range: float
) -> list[_core.TensorComparison]:
    compared = []
    for name, y in expected.items():
        z = found[name]
        if y.shape != z.shape:
            raise Error(f"{name}: {z.shape} where ONNX Runtime gives {y.shape}")
        compared.append(_core.compare_tensors(name, _flat(y), _flat(z), value_range))
    return compared


def _flat(values: Any) -> Any:
    return np.ascontiguousarray(values, np.float32).ravel()
