"""Fused multiply-add in float32, rounded once: the only operation that the engine's sums are made of."""

import numpy as np


def fma(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """a * b + c with one rounding, float32 in and out, broadcast; equal to the hardware instruction bit for bit.

    The product of two float32 is exact in float64. Their sum with c is rounded to odd, which float32 rounding cannot
    tell from the exact value (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
    """
    p = np.multiply(a, b, dtype=np.float64)
    c = np.asarray(c, np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        s = p + c
        t = s - p
        error = (p - (s - t)) + (c - t)  # Knuth's TwoSum: p + c == s + error
        even = (np.atleast_1d(s).view(np.int64) & 1 == 0).reshape(s.shape)
        inexact = np.isfinite(s) & np.isfinite(error) & (error != 0)
        s = np.where(inexact & even, np.nextafter(s, np.copysign(np.inf, error)), s)
        return s.astype(np.float32)
