"""One side of a comparison in a process of its own: its own threads, its own memory, started fresh."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors import Error


@dataclass(frozen=True)
class Side:
    """How a side is made: "module:Class" and its keywords."""

    maker: str
    keywords: dict[str, Any] = field(default_factory=dict)


class SideError(Exception):
    """A side could not be made or failed: its own words. What cutaway itself refused is the cause."""


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
        pipe.send((False, (f"{type(err).__name__}: {err}", err if isinstance(err, Error) else None)))
        return
    while True:
        try:
            function, args = pipe.recv()
        except EOFError:
            return
        try:
            answer = True, memory_peak() if function is None else function(made, *args)
        except BaseException as err:
            answer = False, (traceback.format_exc(limit=-3), err if isinstance(err, Error) else None)
        try:
            pipe.send(answer)
        except OSError:  # nobody waits for it any longer
            return


# What a shell may have set for one BLAS on one machine would slow the peers that use OpenBLAS on another. Pack files
# are for work that asks for them: a run of the harness leaves nothing in the user's cache.
CLEARED: dict[str, str | None] = {"OPENBLAS_CORETYPE": None, "OPENBLAS_L2_SIZE": None, "CUTAWAY_PACK": "0"}


class Worker:
    """A side that runs: `worker(function, *args)` calls function(side, *args) there and returns what that returns.

    Ctrl-C is for the process that asked; it ends the workers.
    """

    def __init__(self, side: Side, environment: Mapping[str, str | None] = MappingProxyType({})):
        context = multiprocessing.get_context("spawn")
        self._pipe, far = context.Pipe()
        self._process = context.Process(target=_serve, args=(far, side, {**CLEARED, **environment}), daemon=True)
        resource_tracker.ensure_running()  # it would lift the block when it is started
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # for good in the new process
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        far.close()
        try:
            self.imported = self._answer()
        except BaseException:
            self.close(wait=False)
            raise

    def _answer(self) -> Any:
        try:
            fine, value = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            raise SideError(f"the process ended with status {self._process.exitcode}") from None
        if not fine:
            words, cause = value
            raise SideError(words) from cause
        return value

    def __call__(self, function: Callable[..., Any] | None, *args: Any) -> Any:
        self._pipe.send((function, args))
        return self._answer()

    def memory(self) -> dict[str, int]:
        """Bytes: the peak, and what the interpreter and the imports had taken before anything was loaded."""
        return {"peak": self(None), "imports": self.imported}

    def close(self, wait: bool = True) -> None:
        """wait: for what it does just now."""
        self._pipe.close()
        self._process.join(20 if wait else 0.1)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(wait=kind is None)
