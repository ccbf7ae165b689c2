"""`with model.hooks({...})`: functions that see, and may replace, activations while the model runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any

import numpy as np

from .arguments import described
from .errors import ArgumentError
from .names import Names

Hook = Callable[[np.ndarray, str], Any]


class HookStack:
    """The hooks in force for one model in the current context (thread or task), innermost last."""

    def __init__(self) -> None:
        self._active: ContextVar[tuple[Mapping[int, tuple[str, Hook]], ...]] = ContextVar("cutaway_hooks", default=())

    def enter(self, layer: Mapping[int, tuple[str, Hook]]) -> None:
        self._active.set((*self._active.get(), layer))

    def leave(self) -> None:
        self._active.set(self._active.get()[:-1])

    def calls(self) -> dict[Any, Callable[[np.ndarray, int], Any]]:
        """By activation id, what the engine calls with (array, index of the prompt); several hooks run in turn."""
        chains: dict[Any, list[tuple[str, Hook]]] = {}
        for layer in self._active.get():
            for id, entry in layer.items():
                chains.setdefault(id, []).append(entry)
        return {id: _chained(chain) for id, chain in chains.items()}


class Hooks(AbstractContextManager[None]):
    """Hooks for a `with` block: checked when they are made, in force inside the block."""

    def __init__(self, stack: HookStack, names: Names, hooks: Mapping[str, Hook]) -> None:
        self._stack, self._layer = stack, resolve(names, hooks)

    def __enter__(self) -> None:
        self._stack.enter(self._layer)

    def __exit__(self, *_: object) -> None:
        self._stack.leave()

    def __repr__(self) -> str:
        from .views.page import counted

        return f"hooks for {counted(len(self._layer), 'name')}; use: with model.hooks(...):"


def resolve(names: Names, hooks: Mapping[str, Hook]) -> dict[int, tuple[str, Hook]]:
    """Checked before anything runs: names known, replaceable, functions callable."""
    if not isinstance(hooks, Mapping):
        raise ArgumentError(f"hooks takes a dictionary of name: function, got {described(hooks)}.")
    out: dict[int, tuple[str, Hook]] = {}
    for pattern, function in hooks.items():
        if not callable(function):
            raise ArgumentError(
                f"The hook on '{pattern}' is {described(function)}, expected a function of (array, name)."
            )
        _check_call(pattern, function)
        chosen = names.select(pattern).chosen
        fixed = [a.name for a in chosen if not a.replaceable]
        if fixed:
            raise ArgumentError(
                f"{fixed[0]} can be read (run_with_cache) but not replaced; model.names() says which can."
            )
        for a in chosen:
            if a.id in out:
                raise ArgumentError(f"{a.name} has two hooks in one dictionary; chain them in one function.")
            out[a.id] = (a.name, function)
    return out


def _check_call(pattern: str, function: Hook) -> None:
    """A function that cannot be called with (array, name) is refused before the model runs."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # a built-in that does not tell
        return
    try:
        signature.bind(None, "")
    except TypeError:
        name = getattr(function, "__name__", type(function).__name__)
        raise ArgumentError(
            f"The hook on '{pattern}', {name}{signature}, is called with two values, expected something like "
            f"{'lambda array, name: ...' if name == '<lambda>' else f'def {name}(array, name)'}."
        ) from None


def _chained(chain: list[tuple[str, Hook]]) -> Callable[[np.ndarray, int], Any]:
    def call(array: np.ndarray, _prompt: int) -> None:
        for name, function in chain:
            result = function(array, name)
            if result is None or result is array:
                continue
            try:
                new = np.asarray(result)
            except ValueError:  # a ragged list
                new = np.asarray(None)
            if new.dtype.kind not in "fiu":
                kind = f"an array of {new.dtype}" if isinstance(result, np.ndarray) else f"a {type(result).__name__}"
                raise ArgumentError(f"The hook on {name} returned {kind}, expected an array of real numbers or None.")
            if new.shape != array.shape:
                raise ArgumentError(
                    f"The hook on {name} returned shape {list(new.shape)}, expected {list(array.shape)}."
                )
            array[...] = new

    return call
