"""cutaway as one side of a comparison."""

from __future__ import annotations

from typing import Any

import cutaway as ca
import numpy as np


class Cutaway:
    def __init__(self, path: str, threads: int, compute: str | None = None, n_ctx: int | None = None):
        self.model = ca.load(path, threads=threads, compute=compute, n_ctx=n_ctx)
        self.d_vocab = self.model.d_vocab
        self.clear()

    def clear(self) -> None:
        self.session = self.model.session()

    def append(self, ids: np.ndarray) -> np.ndarray:
        return self.session.append(ids)

    def append_all(self, ids: np.ndarray) -> np.ndarray:
        """Logits of every row: float32 [len(ids), d_vocab]."""
        return self.session.append(ids, logits="all")

    def append_traced(self, ids: np.ndarray, names: list[str]) -> ca.Trace:
        """Dropped before the next one, a trace gives its buffers back to the pool."""
        return self.session.append(ids, names=names)[1]

    def trace_bytes(self, ids: np.ndarray, names: list[str]) -> int:
        return self.append_traced(ids, names).nbytes

    def begin_batch(self, rows: int, prompt: np.ndarray) -> None:
        self.sessions = [self.model.session() for _ in range(rows)]
        for session in self.sessions:
            session.append(prompt, logits=None)

    def step_batch(self, ids: np.ndarray) -> np.ndarray:
        return ca.step(self.sessions, ids)

    def facts(self) -> dict[str, Any]:
        info = self.model.info()
        return {key: info[key] for key in ("arch", "compute", "isa", "threads", "kv_dtype")} | {
            "packed": info["bytes"]["packed"],
            "packing": self.model._core.load_seconds["weights"],
            "mapped": info["pack"] is not None,
            "version": ca.__version__,
        }
