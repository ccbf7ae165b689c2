"""The "int8" compute mode: activations become 8-bit integers, and every sum of a block is an exact integer."""

import numpy as np

from .blocks import TYPES, parts
from .fma import fma


def quantise(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float32 [rows, K] -> codes int32 [rows, K/32, 32] in [-127, 127] and scales sx float32 [rows, K/32].

    x is about codes * sx. A block whose largest absolute value is so small that 127 over it overflows counts as zero.
    """
    x = x.reshape(len(x), -1, 32)
    amax = np.abs(x).max(axis=2)
    with np.errstate(divide="ignore", over="ignore"):
        inverse = np.float32(127) / amax
    usable = np.isfinite(inverse)
    sx = np.where(usable, amax / np.float32(127), np.float32(0))
    codes = np.rint(x * np.where(usable, inverse, np.float32(0))[:, :, None])  # half to even
    return codes.astype(np.int32), sx


def linear_int8(x: np.ndarray, raw: np.ndarray, type_name: str) -> np.ndarray:
    """float32 [rows, K] times a stored matrix [out, K] (uint8 [out, row_bytes]) -> float32 [rows, out].

    Equal to the engine bit for bit: per 32 weights one exact integer P, then one fma; blocks ascend. A scale for each
    16 belongs to P; one for all 32 makes an exact product with d.
    """
    _, block, size = TYPES[type_name]
    n_out, n_blocks = len(raw), raw.shape[1] // size * block // 32
    p = parts(raw, type_name)
    codes, sx = quantise(x)
    acc = np.zeros((len(x), n_out), np.float32)
    runs = p.s.shape[1]
    for b in range(n_blocks):
        pick = slice(b, None, n_blocks)  # block b of every output row
        a = codes[:, b].reshape(len(x), 1, runs, -1)  # [rows, 1, runs, 32 / runs]
        q = p.q[pick].reshape(1, n_out, runs, -1).astype(np.int32)
        sums, dots = a.sum(3), (a * q).sum(3)  # int [rows, 1, runs], [rows, out, runs]
        scale, d, s = sx[:, b : b + 1], p.d[pick].T, p.s[pick]  # [rows, 1], [1, out], [out, runs]
        m, ms = (None, None) if p.m is None else (p.m[pick].T, None if p.ms is None else p.ms[pick])
        if runs == 2:  # |P| < 2^24
            acc = fma((dots * s).sum(2).astype(np.float32), d * scale, acc)
            if m is not None:
                acc = fma((sums * ms).sum(2).astype(np.float32), m * scale, acc)
        else:
            acc = fma(dots[:, :, 0].astype(np.float32), (d * s.T.astype(np.float32)) * scale, acc)
            if m is not None:
                exact = m if ms is None else m * ms.T.astype(np.float32)
                acc = fma(exact, scale * sums[:, :, 0].astype(np.float32), acc)
    return acc
