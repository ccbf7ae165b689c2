"""cutaway as one side of a comparison."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

import cutaway as ca

if TYPE_CHECKING:
    from ..profile import Row
    from ..trace import Trace


class Cutaway:
    def __init__(
        self,
        path: str,
        threads: int | None = None,
        compute: str | None = None,
        n_ctx: int | None = None,
        isa: str | None = None,
    ):
        self.model = ca.load(path, threads=threads, compute=compute, n_ctx=n_ctx, isa=isa)
        self.d_vocab = self.model.d_vocab
        self.counted: list[Row] | None = None
        self.clear()

    def clear(self) -> None:
        self.session = self.model.session()

    def append(self, ids: np.ndarray) -> np.ndarray:
        return self.session.append(ids) if self.counted is None else self._counted_pass([self.session], [ids])[0]

    def append_all(self, ids: np.ndarray) -> np.ndarray:
        """Logits of every row: float32 [len(ids), d_vocab]."""
        return self.session.append(ids, logits="all")

    def append_traced(self, ids: np.ndarray, names: list[str]) -> Trace:
        """Dropped before the next one, a trace gives its buffers back to the pool."""
        return self.session.append(ids, names=names)[1]

    def trace_bytes(self, ids: np.ndarray, names: list[str]) -> int:
        return self.append_traced(ids, names).nbytes

    def begin_batch(self, rows: int, prompt: np.ndarray) -> None:
        self.sessions = [self.model.session() for _ in range(rows)]
        for session in self.sessions:
            session.append(prompt, logits=None)

    def step_batch(self, ids: np.ndarray) -> np.ndarray:
        if self.counted is None:
            return ca.step(self.sessions, ids)
        return self._counted_pass(self.sessions, [ids[i : i + 1] for i in range(len(ids))])

    @contextmanager
    def counting(self) -> Iterator[list[Row]]:
        """What `append` and `step_batch` do inside is counted, phase by phase, as `model.profile` does."""
        self.counted = []
        try:
            yield self.counted
        finally:
            self.counted = None

    def _counted_pass(self, sessions: list[ca.Session], ids: list[np.ndarray]) -> np.ndarray:
        """Logits of each session's last row: float32 [n, d_vocab]."""
        rows, _ = self.model._core.forward([s._core for s in sessions], ids, "last", [], {}, [], self.counted)
        return np.concatenate(rows)

    def ceilings(self) -> tuple[float, float]:
        """FLOP/s of the model's arithmetic and bytes/s of reading as much as its weights."""
        from ..profile import ceilings

        limits = ceilings(self.model)
        return limits.flops, limits.bandwidth

    def facts(self) -> dict[str, Any]:
        info = self.model.info()
        return {key: info[key] for key in ("arch", "compute", "isa", "threads", "kv_dtype")} | {
            "packed": info["bytes"]["packed"],
            "packing": self.model._core.load_seconds["weights"],
            "mapped": info["pack"] is not None,
            "version": ca.__version__,
        }
