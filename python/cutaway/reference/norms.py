"""RMSNorm (Zhang and Sennrich, 2019, https://arxiv.org/abs/1910.07467), in the engine's order of summation."""

import numpy as np

from .fma import fma

LANES = 16


def lane_tree_sum(lanes: np.ndarray) -> np.ndarray:
    """float32 [..., 16] -> [...]: halves are added until one number is left, 8 + 8, 4 + 4, 2 + 2, 1 + 1."""
    while lanes.shape[-1] > 1:
        half = lanes.shape[-1] // 2
        lanes = lanes[..., :half] + lanes[..., half:]
    return lanes[..., 0]


def sum_of_squares(x: np.ndarray) -> np.ndarray:
    """float32 [..., n] -> [...]. Lane l adds up x[l]^2, x[l + 16]^2, ... with fma; then the tree."""
    tail = -x.shape[-1] % LANES
    x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, tail)])
    acc = np.zeros((*x.shape[:-1], LANES), np.float32)
    for start in range(0, x.shape[-1], LANES):
        chunk = x[..., start : start + LANES]
        acc = fma(chunk, chunk, acc)
    return lane_tree_sum(acc)


def rms_scale(x: np.ndarray, eps: float) -> np.ndarray:
    """float32 [..., n] -> [..., 1]: sqrt(mean(x^2) + eps)"""
    mean = sum_of_squares(x) / np.float32(x.shape[-1])
    return np.sqrt(mean + np.float32(eps))[..., None]


def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    """x [..., n], weight [n] -> x / sqrt(mean(x^2) + eps) * weight"""
    return x / rms_scale(x, eps) * weight
