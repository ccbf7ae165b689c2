"""Softmax and its logarithm, shifted by the maximum so that exp cannot overflow."""

import numpy as np


def softmax(x: np.ndarray) -> np.ndarray:
    """[..., n] -> [..., n], rows sum to 1; -inf becomes exactly 0."""
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def log_softmax(x: np.ndarray) -> np.ndarray:
    """[..., n] -> float64 [..., n]: natural log-probabilities."""
    x = x.astype(np.float64)
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))
