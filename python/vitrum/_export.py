# SPDX-License-Identifier: Apache-2.0
"""From PyTorch through ONNX to an engine: torch.export's programs, and modules of no known family."""

from __future__ import annotations

import contextlib
import inspect
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils import _pytree as pytree

from ._engine import Engine
from .errors import AccuracyError, Error, UsageError


CHANGES = "changes its inputs, its weights or its buffers, which vitrum does not do"


def versions(tensors: Sequence[torch.Tensor]) -> list[tuple[int, int]]:
    """Another where one was replaced, or changed in place (which PyTorch does not count in inference tensors)."""
    return [(id(x), -1 if x.is_inference() else x._version) for x in tensors]


class Exported(torch.nn.Module):
    """Calls an engine with the tensors of a call, and puts the answer's into the original's structure."""

    def __init__(self, engine: Engine, call: _Call, answer: _Tree, guard: Callable[..., Any]) -> None:
        super().__init__()
        self.engine = engine
        self._call, self._answer, self._guard = call, answer, guard
        self._seen: set[tuple[torch.Size, ...]] = set()

    def forward(self, *args: Any, **named: Any) -> Any:
        tensors = self._call.tensors(args, named)
        shapes = tuple(x.shape for x in tensors)
        if shapes not in self._seen:
            self._guard(*tensors)
            self._seen.add(shapes)
        found = self.engine(*tensors)
        return self._answer.with_tensors(list(found.values()) if isinstance(found, dict) else [found])

    def extra_repr(self) -> str:
        return repr(self.engine)


class _Tree:
    """A structure of tensors and of values that stay as they are."""

    def __init__(self, tree: Any) -> None:
        leaves, self.spec = pytree.tree_flatten(tree)
        self.tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
        self.values = [None if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
        self._places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)]

    def with_tensors(self, tensors: Sequence[Any]) -> Any:
        leaves = list(self.values)
        for place, tensor in zip(self._places, tensors):
            leaves[place] = tensor
        return pytree.tree_unflatten(leaves, self.spec)

    def forget_tensors(self) -> None:
        self.tensors = []

    def is_like(self, other: _Tree) -> bool:
        return (
            self.spec == other.spec and self._places == other._places and self.values == other.values
        )


class _Call:
    """The arguments that a module is called with, whether by place or by name."""

    def __init__(
        self, module: torch.nn.Module, args: Sequence[Any], named: Mapping[str, Any]
    ) -> None:
        self._name = type(module).__name__
        self._signature = inspect.signature(module.forward)
        self.tree = self._bound(args, named)
        self._orders: dict[tuple[int | str, ...], list[int]] = {}

    def tensors(self, args: Sequence[Any], named: Mapping[str, Any]) -> Sequence[torch.Tensor]:
        """In the order of the program's inputs."""
        given = [*args, *named.values()]
        is_plain = _all_tensors(given)
        order = self._orders.get((len(args), *named)) if is_plain else None
        if order is not None:
            return [given[i] for i in order]
        tree = self._bound(args, named)
        if not tree.is_like(self.tree):
            raise UsageError(
                f"{self._name} was compiled for other arguments: only tensors may change, and "
                "their number; compile it again with such example_inputs and example_kwargs"
            )
        if is_plain:
            self._remember(len(args), tuple(named), given, tree.tensors)
        return tree.tensors

    def _remember(
        self, count: int, names: tuple[str, ...], given: list[Any], tensors: list[torch.Tensor]
    ) -> None:
        """The order of arguments that are tensors; the signature takes 10 us to ask again."""
        places = {id(x): i for i, x in enumerate(given)}
        if len(places) == len(given) == len(tensors):
            key: tuple[int | str, ...] = (count, *names)
            self._orders[key] = [places[id(x)] for x in tensors]

    def _bound(self, args: Sequence[Any], named: Mapping[str, Any]) -> _Tree:
        bound = self._signature.bind(*args, **named)
        for name, value in list(bound.arguments.items()):
            if value is self._signature.parameters[name].default:
                del bound.arguments[name]
        return _Tree((bound.args, bound.kwargs))


def _all_tensors(args: Sequence[Any]) -> bool:
    for x in args:
        if not isinstance(x, torch.Tensor):
            return False
    return True


class _Flat(torch.nn.Module):
    """The module as a function from tensors to tensors."""

    def __init__(self, module: torch.nn.Module, call: _Tree) -> None:
        super().__init__()
        self.module, self._tree = module, call

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        args, named = self._tree.with_tensors(tensors)
        return tuple(_Tree(self.module(*args, **named)).tensors)


def compile(
    module: torch.nn.Module,
    args: Sequence[Any],
    named: Mapping[str, Any],
    *,
    dynamic: bool,
    check: bool,
    evaluating: contextlib.AbstractContextManager[None],
    options: dict[str, Any],
) -> Exported:
    """An engine of the operators that the module runs for these arguments."""
    call = _Call(module, args, named)
    inputs = [x.detach() for x in call.tree.tensors]
    if not inputs:
        raise UsageError(f"{type(module).__name__}: the example holds no tensors")
    with evaluating, torch.no_grad():
        flat = _Flat(module, call.tree)
        held = [*call.tree.tensors, *module.parameters(), *module.buffers()]
        before = versions(held)
        answer = _Tree(module(*args, **named))
        held = [*call.tree.tensors, *module.parameters(), *module.buffers()]
        if versions(held) != before:
            raise Error(f"{type(module).__name__} {CHANGES}")
        _require_plain(module, answer)
        engine, guard = _best(flat, inputs, dynamic, options)
    call.tree.forget_tensors()
    fast = Exported(engine, call, answer, guard)
    if check:
        found = _Tree(fast(*args, **named)).tensors
        compare(f"the engine of {type(module).__name__}", answer.tensors, found)
    answer.forget_tensors()
    return fast


def _require_plain(module: torch.nn.Module, answer: _Tree) -> None:
    for value in answer.values:
        if value is not None and not isinstance(value, (bool, int, float, str)):
            raise Error(
                f"{type(module).__name__} gives a {type(value).__name__}, which vitrum cannot make"
            )
    if not answer.tensors:
        raise Error(f"{type(module).__name__} gives no tensors")


def _best(
    flat: torch.nn.Module, inputs: Sequence[torch.Tensor], dynamic: bool, options: dict[str, Any]
) -> tuple[Engine, Callable[..., Any]]:
    """For all sizes that the same operators serve; else for the example's alone."""
    if dynamic:
        try:
            program = export(flat, inputs, dynamic=True)
            guard = _guard(program)
            return engine_of(program, **options), guard
        except Error:
            pass  # what holds for one size may still be said
    return engine_of(export(flat, inputs, dynamic=False), **options), _same_shapes(inputs)


def _guard(program: Any) -> Callable[..., Any]:
    """Refuses tensors for which the module would have run other operators."""
    check = getattr(program.module(), "_guards_fn", None)
    if check is None:
        raise Error("this PyTorch does not tell which sizes a program is right for")

    def guard(*tensors: torch.Tensor) -> None:
        try:
            check(*tensors)
        except AssertionError as error:
            raise _other_size(str(error)) from None

    return guard


def _same_shapes(inputs: Sequence[torch.Tensor]) -> Callable[..., Any]:
    shapes = [tuple(x.shape) for x in inputs]

    def guard(*tensors: torch.Tensor) -> None:
        if [tuple(x.shape) for x in tensors] != shapes:
            raise _other_size(f"the example's shapes are {', '.join(map(str, shapes))}")

    return guard


def _other_size(why: str) -> UsageError:
    return UsageError(
        f"the network was exported for other sizes ({why}); compile it again with example_inputs of "
        "this size"
    )


def export(flat: torch.nn.Module, inputs: Sequence[torch.Tensor], *, dynamic: bool) -> Any:
    """torch.export's program of a module that takes and gives tensors."""
    shapes: Any = None
    if dynamic:
        auto = torch.export.Dim.AUTO
        shapes = (tuple({i: auto for i in range(x.dim())} for x in inputs),)
    try:
        program = torch.export.export(flat, tuple(inputs), dynamic_shapes=shapes, strict=False)
    except Exception as error:
        raise Error(f"torch.export: {_first_line(error)}") from error
    return program


def engine_of(program: Any, **options: Any) -> Engine:
    """Through an ONNX file, which is gone afterwards: engines map it."""
    with tempfile.TemporaryDirectory(prefix="vitrum-") as folder, _quiet():
        path = Path(folder) / "module.onnx"
        try:
            made = torch.onnx.export(program, dynamo=True, verbose=False)
            assert made is not None  # as it is of the exporter that TorchScript had
            made.save(path)
        except ImportError as error:
            raise Error(
                f"{error}: PyTorch's ONNX exporter needs the packages onnx and onnxscript"
            ) from error
        except Exception as error:
            raise Error(f"torch.onnx.export: {_first_line(error)}") from error
        try:
            return Engine(str(path), **options)
        except Error as error:
            text = str(error).removeprefix(f"{path}: ")
            raise type(error)(f"as an ONNX graph: {text}") from error


def compare(name: str, expected: Sequence[torch.Tensor], found: Sequence[Any]) -> None:
    """Raises AccuracyError where an engine does not give what PyTorch gives."""
    for i, (y, z) in enumerate(zip(expected, found)):
        if y.shape != z.shape or y.dtype != z.dtype:
            raise AccuracyError(
                f"{name}: output {i} is {z.dtype} {tuple(z.shape)}, PyTorch's {y.dtype} {tuple(y.shape)}"
            )
        error, limit = _difference(y.detach().cpu(), z.cpu())
        if not error <= limit:
            raise AccuracyError(
                f"{name} answers otherwise than PyTorch: output {i} differs by {error:.1e}, of which "
                f"{limit:.0e} is allowed"
            )


def _difference(y: torch.Tensor, z: torch.Tensor) -> tuple[float, float]:
    """Of floating-point numbers relative to their deviation; of others how many differ. And the limit."""
    if y.numel() == 0:
        return 0.0, 0.0
    if not y.is_floating_point():
        return float((y != z).double().mean()), 1e-3
    limit = 1e-2 if y.dtype in (torch.float32, torch.float64) else 0.3
    finite = torch.isfinite(y)
    if not torch.equal(finite, torch.isfinite(z)) or not torch.equal(y[~finite].nan_to_num(), z[~finite].nan_to_num()):
        return float("inf"), limit
    y, z = y[finite].double(), z[finite].double()
    worst = float((y - z).abs().max()) if y.numel() else 0.0
    spread = float(y.std(correction=0)) if y.numel() else 0.0
    return (worst / spread if spread > 1e-6 * float(y.abs().max()) else worst), limit


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter speaks of packages that are missing and not needed."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
