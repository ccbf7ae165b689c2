"""From token ids into the residual stream, and out of it to logits."""

import numpy as np

from .attention import soft_cap


def embed(ids: np.ndarray, w_e: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """ids [pos], W_E [d_vocab, d_model] -> [pos, d_model]"""
    return w_e[ids] * np.float32(scale)


def unembed(normalized: np.ndarray, w_u: np.ndarray, cap: float | None = None) -> np.ndarray:
    """ln_final.normalized [pos, d_model], W_U [d_model, d_vocab] -> logits [pos, d_vocab]"""
    return soft_cap(normalized @ w_u, cap)
