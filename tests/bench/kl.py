"""KL divergence between rows of logits, in nats."""

from __future__ import annotations

import numpy as np


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """float [pos, d_vocab] -> float64 [pos, d_vocab]"""
    x = logits.astype(np.float64)
    x -= x.max(1, keepdims=True)
    x -= np.log(np.exp(x).sum(1, keepdims=True))
    return x


def divergence(exact: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """KL(softmax(exact) || softmax(other)) of every row against each of the others: float64 [pos, others]."""
    log_p = log_softmax(exact)
    p = np.exp(log_p)
    return np.stack([(p * (log_p - log_softmax(q))).sum(1) for q in others], 1)


def mean_ratio(rows: np.ndarray) -> float:
    """Mean of the first column over the mean of the second: float64 [pos, 2] -> how much more the first loses."""
    ours, theirs = rows.mean(0)
    return float(ours / theirs)
