"""llama.cpp through llama-cpp-python's low-level interface: prefill and decode of given ids, last-row logits only."""

import ctypes
from pathlib import Path

import llama_cpp as L
import numpy as np


@L.llama_log_callback
def _silent(level, text, data):
    """Kept at module level: a collected call-back would end the process."""


class LlamaCpp:
    """One model and context. Sessions are emptied by `clear`."""

    def __init__(self, path: Path, threads: int, n_ctx: int = 1024):
        L.llama_log_set(_silent, ctypes.c_void_p(0))
        L.llama_backend_init()
        self.model = L.llama_model_load_from_file(str(path).encode(), L.llama_model_default_params())
        params = L.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = n_ctx, n_ctx, 512
        params.n_threads = params.n_threads_batch = threads
        self.context = L.llama_init_from_model(self.model, params)
        self.memory = L.llama_get_memory(self.context)
        self.d_vocab = L.llama_vocab_n_tokens(L.llama_model_get_vocab(self.model))

    def clear(self) -> None:
        L.llama_memory_clear(self.memory, True)

    def append(self, ids: np.ndarray) -> np.ndarray:
        """Runs ids behind what is there; the last position's logits, float32 [d_vocab]."""
        tokens = (L.llama_token * len(ids))(*ids.tolist())
        if L.llama_decode(self.context, L.llama_batch_get_one(tokens, len(ids))) != 0:
            raise RuntimeError("llama_decode failed")
        L.llama_synchronize(self.context)
        row = np.ctypeslib.as_array(L.llama_get_logits_ith(self.context, -1), (self.d_vocab,))
        return row.astype(np.float32)

    @staticmethod
    def system_info() -> str:
        return L.llama_print_system_info().decode().strip()
