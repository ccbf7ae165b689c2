"""Matrix products, once for reading and once in the engine's order."""

import numpy as np

from .fma import fma


def linear(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """x [rows, K] @ w [K, out] -> [rows, out]"""
    return x @ w


def linear_in_order(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The same in the order of the engine's float32 mode: each output adds up K in ascending order with fma."""
    acc = np.zeros((len(x), w.shape[1]), np.float32)
    for k in range(len(w)):
        acc = fma(x[:, k : k + 1], w[k], acc)
    return acc
