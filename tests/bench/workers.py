"""One side of a comparison in a process of its own: its own threads, its own memory, started fresh."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Side:
    """How a side is made: "module:Class" and its keywords."""

    maker: str
    keywords: dict[str, Any] = field(default_factory=dict)


class SideError(Exception):
    """A side could not be made or failed: its own words."""


def memory_peak() -> int:
    """Bytes of physical memory this process has held at most: VmHWM, which unlike ru_maxrss begins anew with exec."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmHWM")


def _serve(pipe: Any, side: Side, environment: dict[str, str | None]) -> None:
    for key, value in environment.items():
        os.environ.pop(key, None) if value is None else os.environ.__setitem__(key, value)
    try:
        module, _, name = side.maker.partition(":")
        maker = getattr(importlib.import_module(module), name)
        imported = memory_peak()
        made = maker(**side.keywords)
        pipe.send((True, imported))
    except BaseException as err:
        pipe.send((False, f"{type(err).__name__}: {err}"))
        return
    while True:
        try:
            function, args = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send((True, memory_peak() if function is None else function(made, *args)))
        except BaseException:
            pipe.send((False, traceback.format_exc(limit=-3)))


# What a shell may have set for one BLAS on one machine would slow the peers that use OpenBLAS on another. Pack files are
# for rows that measure them, in folders of their own: a run leaves nothing in the user's cache.
CLEARED: dict[str, str | None] = {"OPENBLAS_CORETYPE": None, "OPENBLAS_L2_SIZE": None, "CUTAWAY_PACK": "0"}


class Worker:
    """A side that runs: `worker(function, *args)` calls function(side, *args) over there and returns what it returns."""

    def __init__(self, side: Side, environment: dict[str, str] | None = None):
        context = multiprocessing.get_context("spawn")
        self._pipe, far = context.Pipe()
        self._process = context.Process(target=_serve, args=(far, side, CLEARED | (environment or {})), daemon=True)
        self._process.start()
        far.close()
        try:
            self.imported = self._answer()
        except SideError:
            self.close()
            raise

    def _answer(self) -> Any:
        try:
            fine, value = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            raise SideError(f"the process ended with status {self._process.exitcode}") from None
        if not fine:
            raise SideError(value)
        return value

    def __call__(self, function: Callable[..., Any] | None, *args: Any) -> Any:
        self._pipe.send((function, args))
        return self._answer()

    def memory(self) -> dict[str, int]:
        """Bytes: the peak, and what the interpreter and the imports had taken before anything was loaded."""
        return {"peak": self(None), "imports": self.imported}

    def close(self) -> None:
        self._pipe.close()
        self._process.join(20)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
