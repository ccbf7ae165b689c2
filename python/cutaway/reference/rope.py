"""Rotary position embedding (Su et al., 2021, https://arxiv.org/abs/2104.09864)."""

import math

import numpy as np


def inverse_frequencies(n_rot: int, base: float, linear_factor: float = 1.0) -> np.ndarray:
    """float64 [n_rot / 2]: base^(-2i / n_rot), divided by the factor of linear scaling (Chen et al., 2023)."""
    return float(base) ** (-np.arange(0, n_rot, 2, dtype=np.float64) / n_rot) / linear_factor


def llama3_frequencies(
    inv_freq: np.ndarray, factor: float, low_freq_factor: float, high_freq_factor: float, original_n_ctx: int
) -> np.ndarray:
    """Llama 3.1's scaling: waves longer than the original context are stretched, short ones kept, the rest blended."""
    turns = original_n_ctx * inv_freq / (2 * math.pi)  # over the context that the model was first trained on
    kept = np.clip((turns - low_freq_factor) / (high_freq_factor - low_freq_factor), 0, 1)
    return kept * inv_freq + (1 - kept) * inv_freq / factor


def cos_sin(positions: np.ndarray, inv_freq: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """positions [pos], inv_freq [n_rot / 2] -> cos, sin: float32 [pos, n_rot / 2].

    The frequency is rounded to float32 first and the angle is one float32 product, as the engine has it.
    """
    angle = positions.astype(np.float32)[:, None] * inv_freq.astype(np.float32)
    return np.cos(angle.astype(np.float64)).astype(np.float32), np.sin(angle.astype(np.float64)).astype(np.float32)


def rotate(x: np.ndarray, cos: np.ndarray, sin: np.ndarray, layout: str = "halves") -> np.ndarray:
    """x [pos, head, d_head] -> the same shape, its first n_rot dimensions rotated (all, or fewer: partial rotary).

    layout "halves": dimension i turns with i + n_rot / 2 (Hugging Face); "pairs": 2i with 2i + 1 (the paper).
    """
    n_rot = 2 * cos.shape[1]
    cos, sin = cos[:, None, :], sin[:, None, :]  # [pos, 1, n_rot / 2]: every head turns alike
    out = x.copy()
    if layout == "halves":
        first, second = slice(0, n_rot // 2), slice(n_rot // 2, n_rot)
    elif layout == "pairs":
        first, second = slice(0, n_rot, 2), slice(1, n_rot, 2)
    else:
        raise ValueError(f"rope layout is {layout!r}, expected 'halves' or 'pairs'")
    a, b = x[..., first], x[..., second]
    out[..., first] = a * cos - b * sin
    out[..., second] = b * cos + a * sin
    return out
