# SPDX-License-Identifier: Apache-2.0
"""From whatever holds a network to a model or an engine."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from . import _core
from ._engine import Engine

if TYPE_CHECKING:
    import torch

Path = str | os.PathLike[str]


def load(path: Path, **overrides: object) -> _core.Model:
    """Recognises the network in a checkpoint or a Hugging Face folder.

    Overrides are values that weights cannot tell (`img_range=255`).
    """
    return _core.Model.load(os.fspath(path), _as_text(overrides))


@overload
def compile(
    model: Path | _core.Model | Mapping[str, Any],
    *,
    device: str | None = ...,
    threads: int = ...,
    isa: str = ...,
    precision: str = ...,
    check: bool = ...,
    **overrides: object,
) -> Engine: ...
@overload
def compile(
    model: torch.nn.Module,
    *,
    device: str | None = ...,
    threads: int = ...,
    isa: str = ...,
    precision: str = ...,
    check: bool = ...,
    example_inputs: torch.Tensor | Sequence[Any] | None = ...,
    example_kwargs: Mapping[str, Any] | None = ...,
    dynamic: bool = ...,
    **overrides: object,
) -> torch.nn.Module: ...
def compile(
    model: Any,
    *,
    device: str | None = None,
    threads: int = 0,
    isa: str = "",
    precision: str = "auto",
    check: bool = True,
    example_inputs: Any = None,
    example_kwargs: Any = None,
    dynamic: Any = True,
    **overrides: object,
) -> Any:
    """Makes a network ready to run.

    `model` is a checkpoint, a Hugging Face folder, an engine file, a
    `vitrum.Model` or a state_dict, which give an Engine; or a PyTorch module,
    which gives a module that takes and gives what the original does.  A module
    is run once beside its engine, and refused where the two differ;
    `check=False` leaves that out.
    A module of no known family needs `example_inputs` (and `example_kwargs`),
    arguments to call it with: torch.export turns what it does with them into
    operators, for other sizes too where the same operators serve them.
    `dynamic=False` is for the example's sizes only, and quicker.
    `device` is "cpu", "cuda" or "cuda:1"; by default that of a module, else
    the CPU.
    `threads=0` is every core; `isa` forces an instruction set ("AVX2").
    `precision` is what products are computed in: "fp32", or on GPUs "tf32",
    "bf16" or "fp16"; "auto" is an engine file's own, else on GPUs the fastest
    that is exact enough for this network, which two small runs find out.
    """
    options: dict[str, Any] = {
        "device": device or _device_of(model),
        "threads": threads,
        "isa": isa,
        "precision": precision,
    }
    if _is_module(model):
        from . import _torch

        return _torch.compile(
            model,
            example_inputs=example_inputs,
            example_kwargs=example_kwargs,
            dynamic=dynamic,
            check=check,
            overrides=_as_text(overrides),
            **options,
        )
    if example_inputs is not None or example_kwargs is not None:
        raise TypeError("example_inputs and example_kwargs go with PyTorch modules")
    if isinstance(model, (str, os.PathLike)):
        return Engine(os.fspath(model), overrides=_as_text(overrides), **options)
    if isinstance(model, Mapping):
        model = _core.Model.from_tensors(
            flatten(model),
            name="the state_dict",
            format="tensors in memory",
            overrides=_as_text(overrides),
        )
    elif not isinstance(model, _core.Model):
        raise TypeError(
            "compile() takes a path, a vitrum.Model, a PyTorch module or a state_dict, "
            f"not {type(model).__name__}"
        )
    elif overrides:
        raise TypeError("a Model's settings are fixed; give overrides to vitrum.load()")
    return Engine(model, **options)


def flatten(state: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The arrays of nested dictionaries by their paths, as in a file."""
    tensors: dict[str, Any] = {}
    for key, value in state.items():
        if isinstance(value, Mapping):
            tensors |= flatten(value, f"{prefix}{key}.")
        elif hasattr(value, "__dlpack__") or hasattr(value, "__array_interface__"):
            tensors[f"{prefix}{key}"] = _plain(value)
    return tensors


def _plain(value: Any) -> Any:
    """A PyTorch tensor without its gradient, in this process's memory."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return value.detach().cpu()
    return value


def _is_module(model: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def _device_of(model: object) -> str:
    """A module's, by its first parameter."""
    if not _is_module(model):
        return "cpu"
    parameter = next(model.parameters(), None)  # type: ignore[attr-defined]
    return str(parameter.device) if parameter is not None and parameter.is_cuda else "cpu"


def _as_text(overrides: Mapping[str, object]) -> dict[str, str]:
    def text(value: object) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, float):
            return f"{value:.9g}"
        if isinstance(value, (list, tuple)):
            return ",".join(map(text, value))
        return str(value)

    return {name: text(value) for name, value in overrides.items()}
