"""Causal attention with grouped heads (Ainslie et al., 2023, https://arxiv.org/abs/2305.13245) and sliding windows."""

import numpy as np


def soft_cap(x: np.ndarray, cap: float | None) -> np.ndarray:
    """cap * tanh(x / cap): keeps values in (-cap, cap) (Gemma 2, https://arxiv.org/abs/2408.00118)."""
    return x if cap is None else np.float32(cap) * np.tanh(x / np.float32(cap))


def visible(n_query: int, n_key: int, window: int | None) -> np.ndarray:
    """bool [query_pos, key_pos]. The queries are the last n_query positions; a window counts the query itself."""
    query = np.arange(n_key - n_query, n_key)[:, None]
    key = np.arange(n_key)[None, :]
    seen = key <= query
    return seen if window is None else seen & (key > query - window)


def attention_scores(
    q: np.ndarray, k: np.ndarray, scale: float, window: int | None = None, cap: float | None = None
) -> np.ndarray:
    """q [query_pos, n_heads, d_head], k [key_pos, n_kv_heads, d_head] -> [n_heads, query_pos, key_pos].

    -inf where masked. Each key head serves n_heads / n_kv_heads query heads in a row.
    """
    k = np.repeat(k, q.shape[1] // k.shape[1], axis=1)
    scores = np.matmul(q.transpose(1, 0, 2), k.transpose(1, 2, 0)) * np.float32(scale)
    return np.where(visible(len(q), len(k), window), soft_cap(scores, cap), np.float32(-np.inf))


def attention_values(pattern: np.ndarray, v: np.ndarray) -> np.ndarray:
    """pattern [n_heads, query_pos, key_pos], v [key_pos, n_kv_heads, d_head] -> z [query_pos, n_heads, d_head]"""
    v = np.repeat(v, len(pattern) // v.shape[1], axis=1)
    return np.matmul(pattern, v.transpose(1, 0, 2)).transpose(1, 0, 2)
