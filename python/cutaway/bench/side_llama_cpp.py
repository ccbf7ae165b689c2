"""llama.cpp through llama-cpp-python's low-level interface, default settings."""

from __future__ import annotations

import ctypes
from typing import Any

import llama_cpp
import llama_cpp.llama_cpp as L
import numpy as np

from .machine import cpu_facts, lacking


@L.llama_log_callback
def _silent(level: int, text: bytes, data: Any) -> None:
    """Kept at module level: a collected call-back would end the process."""


def system_info() -> str:
    return str(L.llama_print_system_info().decode().strip())


class LlamaCpp:
    """One model and context. A step of several sequences is one batch, as its own batched benchmark does it."""

    def __init__(self, path: str, threads: int, n_ctx: int = 1024, sequences: int = 1):
        L.llama_log_set(_silent, ctypes.c_void_p(0))
        L.llama_backend_init()
        if missing := lacking(system_info(), cpu_facts().get("flags", "").split()):
            raise RuntimeError(
                f"llama.cpp was built without {' and '.join(missing)}, which this CPU has; its figures would be "
                "too low. This builds it for this machine: CMAKE_ARGS=-DGGML_NATIVE=ON pip install --force-reinstall "
                "--no-binary llama-cpp-python llama-cpp-python"
            )
        self.model = L.llama_model_load_from_file(str(path).encode(), L.llama_model_default_params())
        if not self.model:
            raise RuntimeError(f"llama.cpp does not open {path}")
        params = L.llama_context_default_params()
        params.n_ctx = n_ctx * sequences  # divided among them: faster than one shared buffer where no prompt is shared
        params.n_batch, params.n_ubatch = n_ctx, 512
        params.n_threads = params.n_threads_batch = threads
        params.n_seq_max = sequences
        self.context = L.llama_init_from_model(self.model, params)
        if not self.context:
            raise RuntimeError("llama.cpp makes no context")
        self.memory = L.llama_get_memory(self.context)
        self.d_vocab = L.llama_vocab_n_tokens(L.llama_model_get_vocab(self.model))
        self.threads = threads

    def clear(self) -> None:
        L.llama_memory_clear(self.memory, True)
        self.length = 0

    def append(self, ids: np.ndarray) -> np.ndarray:
        """The last position's logits, float32 [d_vocab]: a view that the next call overwrites."""
        tokens = (L.llama_token * len(ids))(*ids.tolist())
        self._decode(L.llama_batch_get_one(tokens, len(ids)))
        self.length += len(ids)
        return np.ctypeslib.as_array(L.llama_get_logits_ith(self.context, -1), (self.d_vocab,))

    def append_all(self, ids: np.ndarray) -> np.ndarray:
        """Logits of every row: float32 [len(ids), d_vocab], a view."""
        entries = [(int(token), self.length + i, 0, True) for i, token in enumerate(ids)]
        self._run(entries)
        self.length += len(ids)
        return np.ctypeslib.as_array(L.llama_get_logits(self.context), (len(ids), self.d_vocab))

    def begin_batch(self, rows: int, prompt: np.ndarray) -> None:
        self.clear()
        for row in range(rows):
            self._run([(int(token), i, row, i == len(prompt) - 1) for i, token in enumerate(prompt)])
        self.length = len(prompt)

    def step_batch(self, ids: np.ndarray) -> np.ndarray:
        self._run([(int(token), self.length, row, True) for row, token in enumerate(ids)])
        self.length += 1
        return np.ctypeslib.as_array(L.llama_get_logits(self.context), (len(ids), self.d_vocab))

    def _run(self, entries: list[tuple[int, int, int, bool]]) -> None:
        """entries: (token, position, sequence, whether its logits are wanted)"""
        batch = L.llama_batch_init(len(entries), 0, 1)
        batch.n_tokens = len(entries)
        for i, (token, position, sequence, wanted) in enumerate(entries):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, position, 1
            batch.seq_id[i][0], batch.logits[i] = sequence, wanted
        try:
            self._decode(batch)
        finally:
            L.llama_batch_free(batch)

    def _decode(self, batch: Any) -> None:
        if L.llama_decode(self.context, batch) != 0:
            raise RuntimeError("llama_decode failed")
        L.llama_synchronize(self.context)

    def facts(self) -> dict[str, Any]:
        return {"version": llama_cpp.__version__, "threads": self.threads, "system": system_info()}
