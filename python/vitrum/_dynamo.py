# SPDX-License-Identifier: Apache-2.0
"""The backend of torch.compile(model, backend="vitrum")."""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any

import torch

from . import _export
from ._engine import Engine
from .errors import Error


def backend(
    graph: torch.fx.GraphModule,
    example_inputs: Sequence[Any],
    *,
    options: Mapping[str, Any] | None = None,
    mode: str | None = None,
) -> Callable[..., Any]:
    """`options` are those of vitrum.compile: device, threads, isa, precision."""
    return _Graph(graph, dict(options or {}))


class _Graph:
    """One graph of TorchDynamo: an engine for each shape of its inputs, and itself for what no engine can do."""

    KEPT = 8  # engines

    def __init__(self, graph: torch.fx.GraphModule, options: dict[str, Any]) -> None:
        self._graph, self._options = graph, options
        self._lock = threading.Lock()  # of the engines and what they were made of
        places = [node for node in graph.graph.nodes if node.op == "placeholder"]
        self._is_weight = [_is_weight(node) for node in places]
        self._weights_of = _getter([i for i, yes in enumerate(self._is_weight) if yes])
        self._others = [i for i, yes in enumerate(self._is_weight) if not yes]
        self._engines: OrderedDict[tuple[Any, ...], tuple[Engine, list[int]] | None] = OrderedDict()
        self._last: tuple[Any, ...] | None = None  # the key of the engine that was used last
        self._state: _State | None = None
        self._held: list[torch.Tensor] = []  # the weights' memory, whose addresses no others then get

    def __call__(self, *args: Any) -> Any:
        if torch.is_grad_enabled() and any(
            isinstance(x, torch.Tensor) and x.requires_grad for x in args
        ):
            _say_once("training", "tensors require gradients: wrap the call in torch.inference_mode()")
            return self._graph(*args)
        with self._lock:
            made = self._engine_for(args)
        return self._graph(*args) if made is None else _run(made, args)

    def _engine_for(self, args: Sequence[Any]) -> tuple[Engine, list[int]] | None:
        weights = self._weights_of(args)
        state = _state_of(weights)
        if state != self._state:
            self._engines.clear()  # which hold copies of what the weights were
            self._last = None
            self._state, self._held = state, [w.detach() for w in weights]
        key = tuple([_key_of(args[i]) for i in self._others])
        if key == self._last:
            return self._engines[key]
        if key in self._engines:
            self._engines.move_to_end(key)
        else:
            self._engines[key] = self._made(args)
            if len(self._engines) > self.KEPT:
                self._engines.popitem(last=False)
        self._last = key
        return self._engines[key]

    def _made(self, args: Sequence[Any]) -> tuple[Engine, list[int]] | None:
        """An engine and which arguments it takes; None where PyTorch is to run the graph."""
        taken = [i for i in self._others if isinstance(args[i], torch.Tensor)]
        try:
            if not taken:
                raise Error("no tensors go in")
            options = self._options | {"device": self._device_for(args)}
            with torch.inference_mode(False), torch.no_grad():
                copies = _copied(args)
                held = [x for x in copies if isinstance(x, torch.Tensor)]
                before = _export.versions(held)
                expected = self._graph(*copies)
                if _export.versions(held) != before:
                    raise Error(f"it {_export.CHANGES}")
                if not all(isinstance(y, torch.Tensor) for y in expected):
                    raise Error("it gives what is no tensor")
                program = _export.export(
                    _Frozen(self._graph, args, taken), [args[i].detach() for i in taken], dynamic=False
                )
                made = _export.engine_of(program, **options), taken
                _export.compare("its engine", expected, _run(made, args))
            return made
        except Error as error:
            _say_once(str(error), f"{error}")
            return None

    def _device_for(self, args: Sequence[Any]) -> str:
        """The engine's, which is the tensors' where none is asked for."""
        devices = {x.device for x in args if isinstance(x, torch.Tensor)}
        if len(devices) > 1:
            raise Error("its tensors are on several devices")
        device = devices.pop()
        asked: str = self._options.get("device") or str(device)
        if device.type != "cpu" and asked not in (str(device), device.type):
            raise Error(f"its tensors are on {device}, the engine is to be on {asked}")
        return str(device) if device.type != "cpu" else asked


class _Frozen(torch.nn.Module):
    """A graph as a function of some arguments; weights are parameters of it, and the rest stays as it is."""

    def __init__(self, graph: torch.fx.GraphModule, args: Sequence[Any], taken: Sequence[int]) -> None:
        super().__init__()
        self._graph, self._taken = graph, list(taken)
        self._rest = [None if i in taken else x for i, x in enumerate(args)]
        for i, value in enumerate(self._rest):
            if isinstance(value, torch.Tensor):
                self.register_buffer(f"argument_{i}", value.detach())
                self._rest[i] = None

    def forward(self, *tensors: torch.Tensor) -> Any:
        args = list(self._rest)
        for name, value in self.named_buffers(recurse=False):
            args[int(name.removeprefix("argument_"))] = value
        for i, tensor in zip(self._taken, tensors):
            args[i] = tensor
        return self._graph(*args)


def _run(made: tuple[Engine, list[int]], args: Sequence[Any]) -> tuple[Any, ...]:
    engine, taken = made
    # PyTorch hands infinite values on, from one graph to the next.
    tensors = [args[i] for i in taken]
    plain = [x.detach() if x.requires_grad else x for x in tensors]
    return tuple(engine.evaluate(*plain).values())


def _is_weight(node: torch.fx.Node) -> bool:
    """A module's parameter or buffer, which TorchDynamo passes as an argument."""
    example = node.meta.get("example_value")
    known = node.meta.get("tensor_dict") or {}
    return isinstance(example, torch.nn.Parameter) or "_dynamo_static_input_type" in known


_State = tuple[list[int], list[int]]
_version: Callable[[torch.Tensor], int] = attrgetter("_version")


def _state_of(weights: Sequence[torch.Tensor]) -> _State:
    """Changes when a weight does.  Every call asks, of hundreds of weights."""
    places = list(map(torch.Tensor.data_ptr, weights))
    try:
        return places, list(map(_version, weights))
    except RuntimeError:  # inference tensors count no versions
        return places, [-1 if w.is_inference() else w._version for w in weights]


def _getter(places: list[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """The items at these places, as a tuple.  Not one by one: there are hundreds."""
    if len(places) < 2:  # of which itemgetter makes no tuple
        return lambda items: tuple([items[i] for i in places])
    return itemgetter(*places)


def _key_of(value: Any) -> Any:
    return (value.shape, value.dtype) if isinstance(value, torch.Tensor) else value


def _copied(args: Sequence[Any]) -> list[Any]:
    return [x.detach().clone() if isinstance(x, torch.Tensor) else x for x in args]


_said: set[str] = set()


def _say_once(what: str, text: str) -> None:
    if what not in _said:
        _said.add(what)
        warnings.warn(f"vitrum leaves a graph to PyTorch: {text}", stacklevel=3)
