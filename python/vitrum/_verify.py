# SPDX-License-Identifier: Apache-2.0
"""Proofs that an engine gives the right answer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, overload

from . import _core
from ._compile import Path, compile
from .errors import UsageError


@dataclass(frozen=True)
class AgainstReport:
    """How far an engine's values lie from ONNX Runtime's."""

    outputs: list[_core.TensorComparison]
    layers: list[_core.TensorComparison]
    """of the values inside of the graph, in its order, where asked for"""
    tolerance: float
    passed: bool
    """the outputs only: what is cancelled out on the way may differ more"""

    @property
    def first_large(self) -> str | None:
        """The first value on the way that is off by more than the tolerance."""
        for layer in self.layers:
            if layer.non_finite or not layer.normalised <= self.tolerance:
                return layer.name
        return None

    def __str__(self) -> str:
        rows = [("value", "numbers", "NaN/Inf", "abs max", "normalised")]
        rows += [_row(comparison) for comparison in self.layers + self.outputs]
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in rows]
        first = self.first_large
        for i, layer in enumerate(self.layers):
            if layer.name == first:
                lines[i + 1] += "  <- the first beyond the tolerance"
                break
        lines.insert(1 + len(self.layers), "outputs of the unchanged file:")
        verdict = "passed" if self.passed else "FAILED"
        lines.append(
            f"{verdict}: the normalised error, max|y - y'| / std(y), must not exceed {self.tolerance:.1e}"
        )
        return "\n".join(lines)


def _row(c: _core.TensorComparison) -> tuple[str, str, str, str, str]:
    return (c.name, str(c.count), str(c.non_finite), f"{c.absolute_max:.2e}", f"{c.normalised:.2e}")


@overload
def verify(
    model: Path | _core.Model | _core.Engine, golden: Path, *, tolerance: float = ...
) -> _core.GoldenReport: ...
@overload
def verify(
    model: Path,
    *,
    against: Literal["onnxruntime"],
    size: tuple[int, int] = ...,
    layers: bool = ...,
    tolerance: float = ...,
    inputs: Mapping[str, Any] | None = ...,
    device: str = ...,
    threads: int = ...,
    precision: str = ...,
    **extents: int,
) -> AgainstReport: ...
def verify(
    model: Any,
    golden: Any = None,
    *,
    against: Any = None,
    size: Any = (64, 64),
    layers: Any = False,
    tolerance: Any = 0.0,
    inputs: Any = None,
    **options: Any,
) -> Any:
    """Compares an engine with recorded outputs, or with ONNX Runtime.

    `golden`: a safetensors file, whose `input*` are fed and whose `output*`
    are expected.  `against="onnxruntime"`: the path of an ONNX file, which
    both run on noise 0 ... 1 of `size` (height, width), or on `inputs` by
    name; extents that the file leaves open elsewhere are named
    (`sequence=8`).  `layers` compares what every node gives too.

    The limit is 1e-4 in fp32, 5e-3 in tf32, 3e-2 in fp16 and 2e-1 in bf16, or
    16 x the golden file's float32_noise where that is more, unless `tolerance`
    says otherwise; the report's `passed` tells.
    """
    if (golden is None) == (against is None):
        raise UsageError("give either a golden file or against=\"onnxruntime\"")
    if golden is not None:
        if options or layers or inputs is not None:
            raise TypeError("a golden file goes with tolerance only; compile the engine with options")
        engine = model if isinstance(model, _core.Engine) else compile(model)
        return _core.verify(engine, os.fspath(golden), tolerance)
    if against != "onnxruntime":
        raise UsageError(f'against="{against}": expected onnxruntime')
    if not isinstance(model, (str, os.PathLike)):
        raise TypeError("against ONNX Runtime the path of an ONNX file is compared")
    from . import _onnxruntime

    return _onnxruntime.verify(os.fspath(model), size, layers, tolerance, inputs, options)
