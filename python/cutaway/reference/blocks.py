"""What lies in a weight tensor of a GGUF file, and how it becomes float32.

Every quantised format here is one formula over runs of 32 weights:

    w = (d * s) * q + m * ms        d, m: the file's own scale and minimum;  s, ms, q: small integers

Layouts: the ggml project's block formats (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md names the types).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

# name -> (number in the file, weights per block, bytes per block)
TYPES = {
    "F32": (0, 1, 4),
    "F16": (1, 1, 2),
    "Q4_0": (2, 32, 18),
    "Q4_1": (3, 32, 20),
    "Q5_0": (6, 32, 22),
    "Q5_1": (7, 32, 24),
    "Q8_0": (8, 32, 34),
    "Q8_1": (9, 32, 40),
    "Q2_K": (10, 256, 84),
    "Q3_K": (11, 256, 110),
    "Q4_K": (12, 256, 144),
    "Q5_K": (13, 256, 176),
    "Q6_K": (14, 256, 210),
    "Q8_K": (15, 256, 292),
    "IQ2_XXS": (16, 256, 66),
    "IQ2_XS": (17, 256, 74),
    "IQ3_XXS": (18, 256, 98),
    "IQ1_S": (19, 256, 50),
    "IQ4_NL": (20, 32, 18),
    "IQ3_S": (21, 256, 110),
    "IQ2_S": (22, 256, 82),
    "IQ4_XS": (23, 256, 136),
    "I8": (24, 1, 1),
    "I16": (25, 1, 2),
    "I32": (26, 1, 4),
    "I64": (27, 1, 8),
    "F64": (28, 1, 8),
    "IQ1_M": (29, 256, 56),
    "BF16": (30, 1, 2),
    "TQ1_0": (34, 256, 54),
    "TQ2_0": (35, 256, 66),
    "MXFP4": (39, 32, 17),
    "NVFP4": (40, 64, 36),
}
NAMES = {number: name for name, (number, _, _) in TYPES.items()}


class Parts(NamedTuple):
    """Runs of 32 weights in integers: w = (d * s) * q + m * ms. n runs; s and ms have an entry per 32 or 16 weights."""

    d: np.ndarray  # float32 [n, 1]
    s: np.ndarray  # int32 [n, 1] or [n, 2]
    q: np.ndarray  # int8 [n, 32]
    m: np.ndarray | None = None  # float32 [n, 1]; None: nothing is added
    ms: np.ndarray | None = None  # int32 as s; None: m is added as it is


def _f16(two_bytes: np.ndarray) -> np.ndarray:
    """uint8 [n, 2] -> float32 [n, 1]"""
    return np.ascontiguousarray(two_bytes).view("<f2").astype(np.float32)


def _nibbles(b: np.ndarray) -> np.ndarray:
    """uint8 [n, 16] -> int8 [n, 32]: the low halves are weights 0..15, the high halves 16..31."""
    return np.concatenate([b & 15, b >> 4], axis=1).view(np.int8)


def _ones(b: np.ndarray) -> np.ndarray:
    return np.ones((len(b), 1), np.int32)


def q4_0(b: np.ndarray) -> Parts:
    """[d 2][q 16]: w = d * (q - 8)"""
    return Parts(_f16(b[:, :2]), _ones(b), _nibbles(b[:, 2:]) - np.int8(8))


def q4_1(b: np.ndarray) -> Parts:
    """[d 2][m 2][q 16]: w = d * q + m"""
    return Parts(_f16(b[:, :2]), _ones(b), _nibbles(b[:, 4:]), _f16(b[:, 2:4]))


def _five_bits(b: np.ndarray) -> np.ndarray:
    """uint8 [n, 20], [fifth bits 4][q 16] -> int8 [n, 32]; bit i of the 32 fifth bits belongs to weight i."""
    return _nibbles(b[:, 4:]) | np.unpackbits(b[:, :4], axis=1, bitorder="little").view(np.int8) << 4


def q5_0(b: np.ndarray) -> Parts:
    """[d 2][fifth bits 4][q 16]: w = d * (q - 16)"""
    return Parts(_f16(b[:, :2]), _ones(b), _five_bits(b[:, 2:]) - np.int8(16))


def q5_1(b: np.ndarray) -> Parts:
    """[d 2][m 2][fifth bits 4][q 16]: w = d * q + m"""
    return Parts(_f16(b[:, :2]), _ones(b), _five_bits(b[:, 4:]), _f16(b[:, 2:4]))


def q8_0(b: np.ndarray) -> Parts:
    """[d 2][q 32]: w = d * q, q signed"""
    return Parts(_f16(b[:, :2]), _ones(b), b[:, 2:].view(np.int8))


def _pairs(b: np.ndarray) -> np.ndarray:
    """uint8 [n, 64] -> int8 [n, 8, 32]: 32 bytes hold four runs of 32 weights, two bits each."""
    shifts = np.array([0, 2, 4, 6], np.uint8).reshape(1, 1, 4, 1)
    return (b.reshape(-1, 2, 1, 32) >> shifts & 3).reshape(-1, 8, 32).view(np.int8)


def _bits(b: np.ndarray) -> np.ndarray:
    """uint8 [n, 32] -> int8 [n, 8, 32]: bit r of byte i belongs to weight i of run r."""
    return (b.reshape(-1, 1, 32) >> np.arange(8, dtype=np.uint8).reshape(1, 8, 1) & 1).view(np.int8)


def q2_k(b: np.ndarray) -> Parts:
    """[ms and s, 4 bits each, 16][q 2 bits 64][d 2][dmin 2]: 16 runs of 16, w = d * s * q - dmin * ms."""
    s, ms = ((b[:, :16] >> shift & 15).astype(np.int32).reshape(-1, 2) for shift in (0, 4))
    d, dmin = (np.repeat(_f16(x), 8, axis=0) for x in (b[:, 80:82], b[:, 82:]))
    return Parts(d, s, _pairs(b[:, 16:80]).reshape(-1, 32), -dmin, ms)


def q3_k(b: np.ndarray) -> Parts:
    """[third bits 32][q 2 bits 64][scales 12][d 2]: 16 runs of 16, w = d * (s - 32) * (q - 4) with 6-bit s."""
    q = _pairs(b[:, 32:96]) | _bits(b[:, :32]) << 2
    low, high = b[:, 96:104], b[:, 104:108]
    low = np.concatenate([low & 15, low >> 4], axis=1)
    high = np.concatenate([high >> shift & 3 for shift in (0, 2, 4, 6)], axis=1)
    s = (low | high << 4).astype(np.int32) - 32  # [n, 16]
    return Parts(np.repeat(_f16(b[:, 108:]), 8, axis=0), s.reshape(-1, 2), q.reshape(-1, 32) - np.int8(4))


def _scales_and_minima(b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [n, 12] -> s, ms: int32 [8 n, 1], 6 bits each"""
    low, high, mixed = b[:, :4], b[:, 4:8], b[:, 8:]
    s = np.concatenate([low & 63, mixed & 15 | low >> 6 << 4], axis=1)  # [n, 8]
    ms = np.concatenate([high & 63, mixed >> 4 | high >> 6 << 4], axis=1)
    return s.astype(np.int32).reshape(-1, 1), ms.astype(np.int32).reshape(-1, 1)


def _paired_nibbles(b: np.ndarray) -> np.ndarray:
    """uint8 [n, 128] -> int8 [n, 8, 32]: 32 bytes hold run 2j in their low halves and run 2j + 1 in the high ones."""
    pairs = b.reshape(-1, 4, 1, 32)
    return np.concatenate([pairs & 15, pairs >> 4], axis=2).reshape(-1, 8, 32).view(np.int8)


def q4_k(b: np.ndarray) -> Parts:
    """[d 2][dmin 2][scales 12][q 128]: 8 runs of 32, w = d * s * q - dmin * ms with 6-bit s and ms."""
    s, ms = _scales_and_minima(b[:, 4:16])
    d, dmin = (np.repeat(_f16(x), 8, axis=0) for x in (b[:, :2], b[:, 2:4]))
    return Parts(d, s, _paired_nibbles(b[:, 16:]).reshape(-1, 32), -dmin, ms)


def q5_k(b: np.ndarray) -> Parts:
    """[d 2][dmin 2][scales 12][fifth bits 32][q 128]: as Q4_K, with five bits."""
    s, ms = _scales_and_minima(b[:, 4:16])
    d, dmin = (np.repeat(_f16(x), 8, axis=0) for x in (b[:, :2], b[:, 2:4]))
    q = _paired_nibbles(b[:, 48:]) | _bits(b[:, 16:48]) << 4
    return Parts(d, s, q.reshape(-1, 32), -dmin, ms)


def q6_k(b: np.ndarray) -> Parts:
    """[low 4 bits 128][high 2 bits 64][scales 16][d 2]: 16 runs of 16, w = d * s * (q - 32), s signed."""
    low = b[:, :128].reshape(-1, 2, 1, 64)  # two halves of 128 weights
    low = np.concatenate([low & 15, low >> 4], axis=2).reshape(-1, 2, 4, 32)
    high = b[:, 128:192].reshape(-1, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8).reshape(1, 1, 4, 1) & 3
    q = (low | high << 4).reshape(-1, 32).view(np.int8) - np.int8(32)
    s = b[:, 192:208].view(np.int8).astype(np.int32).reshape(-1, 2)
    return Parts(np.repeat(_f16(b[:, 208:]), 8, axis=0), s, q)


# 16 levels that lie closer together near zero, and twice the values of OCP's E2M1 (sign, 2 bits exponent, 1 fraction).
IQ4_VALUES = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.int8)
E2M1_TWICE = np.array([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12], np.int8)


def iq4_nl(b: np.ndarray) -> Parts:
    """[d 2][q 16]: w = d * IQ4_VALUES[q]"""
    return Parts(_f16(b[:, :2]), _ones(b), IQ4_VALUES[_nibbles(b[:, 2:])])


def iq4_xs(b: np.ndarray) -> Parts:
    """[d 2][high bits of scales 2][low bits 4][q 128]: 8 runs of 32, w = d * (s - 32) * IQ4_VALUES[q], 6-bit s."""
    high = np.ascontiguousarray(b[:, 2:4]).view("<u2") >> np.arange(0, 16, 2, dtype=np.uint16) & 3  # [n, 8]
    low = np.stack([b[:, 4:8] & 15, b[:, 4:8] >> 4], axis=2).reshape(-1, 8)
    s = (low | high << 4).astype(np.int32) - 32
    q = _nibbles(b[:, 8:].reshape(-1, 16))
    return Parts(np.repeat(_f16(b[:, :2]), 8, axis=0), s.reshape(-1, 1), IQ4_VALUES[q])


def mxfp4(b: np.ndarray) -> Parts:
    """[e 1][q 16]: w = d * E2M1_TWICE[q], d = 2^(e - 128); OCP's e = 255, a NaN there, is 2^127 in GGUF files."""
    d = np.ldexp(np.float32(1), b[:, :1].astype(np.int32) - 128)
    return Parts(d, _ones(b), E2M1_TWICE[_nibbles(b[:, 1:])])


QUANTISED: dict[str, Callable[[np.ndarray], Parts]] = {
    "Q4_0": q4_0,
    "Q4_1": q4_1,
    "Q5_0": q5_0,
    "Q5_1": q5_1,
    "Q8_0": q8_0,
    "Q2_K": q2_k,
    "Q3_K": q3_k,
    "Q4_K": q4_k,
    "Q5_K": q5_k,
    "Q6_K": q6_k,
    "IQ4_NL": iq4_nl,
    "IQ4_XS": iq4_xs,
    "MXFP4": mxfp4,
}
DECODED = ("F32", "F16", "BF16", *QUANTISED)


def parts(raw: np.ndarray, type_name: str) -> Parts:
    """uint8 [n_bytes] of a quantised tensor -> its runs of 32 weights, in order."""
    return QUANTISED[type_name](raw.reshape(-1, TYPES[type_name][2]))


def decode(raw: np.ndarray, type_name: str) -> np.ndarray:
    """uint8 [n_bytes] -> float32 [n_weights]. Every product below is exact; the one addition rounds once."""
    if type_name not in DECODED:
        raise ValueError(f"cannot decode blocks of type {type_name}; decoded are {', '.join(DECODED)}")
    if type_name in ("F32", "F16"):
        return raw.view("<f4" if type_name == "F32" else "<f2").astype(np.float32)
    if type_name == "BF16":
        return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)
    p = parts(raw, type_name)
    scale = p.d * p.s.astype(np.float32)  # [n, 1] or [n, 2]
    w = p.q.astype(np.float32).reshape(*scale.shape, -1)
    w *= scale[:, :, None]
    if p.m is not None:
        w += (p.m if p.ms is None else p.m * p.ms.astype(np.float32))[:, :, None]
    return w.reshape(-1)
