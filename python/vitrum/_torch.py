# SPDX-License-Identifier: Apache-2.0
"""PyTorch modules in, modules of the same interface out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from . import _core
from ._compile import flatten
from ._engine import Engine
from .errors import AccuracyError, Error, UsageError


class Module(torch.nn.Module):
    """Calls an engine in the place of the network that it was made from."""

    def __init__(self, engine: Engine, arrange: Callable[[list[Any]], Any]) -> None:
        super().__init__()
        self.engine = engine
        self._arrange = arrange

    def forward(self, *inputs: Any) -> Any:
        answer = self.engine(*inputs)
        return self._arrange(list(answer.values()) if isinstance(answer, dict) else [answer])

    def extra_repr(self) -> str:
        return repr(self.engine)


def compile(
    module: torch.nn.Module,
    *,
    example_inputs: Any,
    example_kwargs: Mapping[str, Any] | None,
    dynamic: bool,
    check: bool,
    overrides: dict[str, str],
    **options: Any,
) -> torch.nn.Module:
    module = getattr(module, "_orig_mod", module)  # behind torch.compile
    try:
        return _compile_family(module, check=check, overrides=overrides, **options)
    except UsageError:
        raise
    except Error as error:
        if example_inputs is None and example_kwargs is None:
            hint = "; give example_inputs to compile the operators that it runs"
            raise type(error)(f"{error}{hint}") from error
    if overrides:
        raise UsageError(f"the module {type(module).__name__} is of no family that has settings")
    from . import _export

    args = (example_inputs,) if isinstance(example_inputs, torch.Tensor) else example_inputs or ()
    return _export.compile(
        module,
        tuple(args),
        dict(example_kwargs or {}),
        dynamic=dynamic,
        check=check,
        evaluating=_evaluating(module),
        options=options,
    )


def _compile_family(
    module: torch.nn.Module, *, check: bool, overrides: dict[str, str], **options: Any
) -> torch.nn.Module:
    if _is_hugging_face(module):
        from . import _hugging_face

        return _hugging_face.compile(module, check=check, overrides=overrides, **options)
    engine = Engine(recognise(module, module.state_dict(), overrides=overrides), **options)
    if not check:
        names = [info.name for info in engine.outputs(1, 1, 1)]
        arrange = _one if len(names) == 1 else lambda tensors: dict(zip(names, tensors))
        return Module(engine, arrange)
    inputs = noise(engine)
    expected = answer_of(module, inputs)
    outputs, arrange = _structure(module, expected)
    found = Module(engine, list)(*(x.float() for x in inputs))
    compare(module, engine, outputs, found)
    return Module(engine, arrange)


def recognise(
    module: torch.nn.Module,
    state: dict[str, Any],
    *,
    overrides: dict[str, str],
    config: str = "",
) -> _core.Model:
    return _core.Model.from_tensors(
        flatten(state),
        name=f"the module {type(module).__name__}",
        format="PyTorch module",
        config=config,
        overrides=overrides,
    )


def noise(engine: Engine) -> list[torch.Tensor]:
    """Inputs for a small picture: whole windows, and some of them."""
    side = 64 if engine.info.kind == "segment" else 32
    generator = torch.Generator().manual_seed(0)
    return [
        engine.info.value_range * torch.rand(info.shape, generator=generator)
        for info in engine.inputs(1, side, side)
    ]


def answer_of(module: torch.nn.Module, inputs: list[torch.Tensor], **named: Any) -> Any:
    """What the module makes of the inputs, in its own type and place."""
    parameter = next(module.parameters(), torch.empty(0))
    placed = [x.to(parameter.device, parameter.dtype) for x in inputs]
    with _evaluating(module), torch.inference_mode():
        try:
            return module(*placed, **named)
        except Exception as error:
            shapes = ", ".join(str(tuple(x.shape)) for x in inputs)
            raise Error(
                f"{type(module).__name__} itself fails on inputs of {shapes} ({error}); "
                "pass check=False to compile it without a comparison"
            ) from error


def compare(
    module: torch.nn.Module,
    engine: Engine,
    expected: list[torch.Tensor],
    found: list[torch.Tensor],
) -> None:
    """Raises AccuracyError where the module's forward is not what its weights say."""
    name = type(module).__name__
    shapes = [tuple(y.shape) for y in expected]
    if shapes != [tuple(y.shape) for y in found]:
        raise AccuracyError(
            f"{name} gives {shapes}, but the network that its weights say gives "
            f"{[tuple(y.shape) for y in found]}"
        )
    for y, z in zip(expected, found):
        # Far beyond rounding (of half precision too), far below another network.
        is_exact = y.dtype in (torch.float32, torch.float64) and engine.precision in ("fp32", "tf32")
        limit = 1e-2 if is_exact else 0.3
        y = y.float().cpu()
        error = float((y - z).abs().max() / y.std())
        if not error < limit:
            raise AccuracyError(
                f"{name} answers otherwise than the network that its weights say (normalised "
                f"error {error:.1e}): its settings or its forward are not the published ones; "
                "name the settings (img_range=...), or use the original"
            )


def _structure(
    module: torch.nn.Module, answer: Any
) -> tuple[list[torch.Tensor], Callable[[list[Any]], Any]]:
    """The tensors of an answer, and how to put others in their place."""
    if isinstance(answer, torch.Tensor):
        return [answer], _one
    if isinstance(answer, dict):
        keys, outputs = list(answer), list(answer.values())
        arrange: Callable[[list[Any]], Any] = lambda tensors: dict(zip(keys, tensors))
    elif type(answer) in (tuple, list):
        outputs, arrange = list(answer), type(answer)
    else:
        outputs = []
    if not outputs or not all(isinstance(y, torch.Tensor) for y in outputs):
        raise Error(
            f"{type(module).__name__} gives a {type(answer).__name__}, which vitrum cannot make; "
            "use vitrum.compile(module.state_dict()) for the tensors"
        )
    return outputs, arrange


def _one(tensors: list[Any]) -> Any:
    return tensors[0]


@contextlib.contextmanager
def _evaluating(module: torch.nn.Module) -> Iterator[None]:
    """As module.eval(), and back to what every part of it was."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def _is_hugging_face(module: torch.nn.Module) -> bool:
    return type(module).__module__.startswith("transformers.")
