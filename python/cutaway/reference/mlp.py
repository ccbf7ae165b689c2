"""The gated MLP (Shazeer, 2020, https://arxiv.org/abs/2002.05202) and its activation functions."""

import math

import numpy as np


def silu(x: np.ndarray) -> np.ndarray:
    """x * sigmoid(x) (Elfwing et al., 2017, https://arxiv.org/abs/1702.03118)"""
    with np.errstate(over="ignore"):  # exp(-x) = inf gives the right limit, -0
        return x / (1 + np.exp(-x))


def gelu_tanh(x: np.ndarray) -> np.ndarray:
    """The tanh form of GELU (Hendrycks and Gimpel, 2016, https://arxiv.org/abs/1606.08415)."""
    inner = np.float32(math.sqrt(2 / math.pi)) * (x + np.float32(0.044715) * x * x * x)
    return np.float32(0.5) * x * (1 + np.tanh(inner))


ACTIVATIONS = {"silu": silu, "gelu_tanh": gelu_tanh}


def gate(pre: np.ndarray, pre_linear: np.ndarray, activation: str) -> np.ndarray:
    """pre = x @ W_gate and pre_linear = x @ W_in, both [pos, d_mlp] -> post [pos, d_mlp]"""
    return ACTIVATIONS[activation](pre) * pre_linear
