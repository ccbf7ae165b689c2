"""What a row of logits says: probabilities, entropy, ranks, the best tokens. In float64; logarithms are natural."""

from __future__ import annotations

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    """float64 [..., d_vocab] of any float dtype: rows sum to 1, -inf becomes exactly 0."""
    weights = np.exp(_shifted(logits))
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """float64 log-probabilities [..., d_vocab]; -inf where a logit is -inf."""
    shifted = _shifted(logits)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def softmax_and_entropy(logits: np.ndarray) -> tuple[np.ndarray, float]:
    """Probabilities, float64 [d_vocab], and their entropy in nats, of one row: a single pass of exp."""
    shifted = _shifted(logits)
    weights = np.exp(shifted)
    total = weights.sum()
    shifted[weights == 0] = 0.0  # 0 log 0 = 0
    shifted *= weights
    weights /= total
    return weights, max(float(np.log(total) - shifted.sum() / total), 0.0)  # log z - sum(w log w) / z


def entropy(logp: np.ndarray) -> np.ndarray:
    """-sum p log p over the last axis, in nats. logp: log-probabilities [..., d_vocab]."""
    p = np.exp(logp)
    return np.maximum(-(p * np.where(p > 0, logp, 0.0)).sum(axis=-1), 0.0)


def rank(logits: np.ndarray, id: int) -> int:
    """The place of a token in one row: 1 is the largest logit; of equal ones the lower id comes first."""
    own = logits[id]
    return 1 + int(np.count_nonzero(logits > own)) + int(np.count_nonzero(logits[:id] == own))


def top(logits: np.ndarray, k: int) -> np.ndarray:
    """The ids of the k largest values of one row, largest first; of equal ones the lower id comes first. int64 [k]"""
    row = np.asarray(logits)
    k = min(k, row.size)
    if k < 1:
        return np.empty(0, np.int64)
    candidates = np.flatnonzero(row >= np.partition(row, row.size - k)[row.size - k])
    return candidates[np.argsort(-row[candidates], kind="stable")[:k]]


def _shifted(logits: np.ndarray) -> np.ndarray:
    """Minus the largest, so that exp cannot overflow."""
    row = np.asarray(logits)
    shifted: np.ndarray = np.subtract(row, row.max(axis=-1, keepdims=True), dtype=np.float64)
    return shifted
