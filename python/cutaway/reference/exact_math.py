"""exp, log and sum in plain IEEE multiply, add and divide: the twin of csrc/core/exact_math.h, equal to the bit.

NumPy's own exp and log differ between machines in the last bit; these do not. The mathematics is in the C++ header.
"""

import numpy as np

LN2_HIGH, LN2_LOW = float.fromhex("0x1.62e42fefap-1"), float.fromhex("0x1.cf79abc9e3b3ap-40")
EXP_SERIES = [1 / float(np.prod(np.arange(1.0, k + 1))) for k in range(13, 1, -1)]  # 1/13! ... 1/2!
LOG_SERIES = [2.0 / k for k in range(23, 1, -2)]  # 2/23, 2/21 ... 2/3


def exp(x: np.ndarray) -> np.ndarray:
    """e^x of float64 [n], for x up to 709. 0 below -708."""
    x = np.asarray(x, np.float64)
    keep = x >= -708.0
    x = np.where(keep, x, 0.0)
    n = x * float.fromhex("0x1.71547652b82fep+0") + 1.5 * 2.0**52 - 1.5 * 2.0**52
    high, low = x - n * LN2_HIGH, n * LN2_LOW
    r = high - low
    q = np.zeros_like(r)
    for coefficient in EXP_SERIES:
        q = q * r + coefficient
    y = 1.0 + (high - (low - r * r * q))
    return np.where(keep, np.ldexp(y, n.astype(np.int64)), 0.0)


def log(x: np.ndarray | float) -> np.ndarray:
    """Natural logarithm of positive finite float64."""
    m, k = np.frexp(np.asarray(x, np.float64))  # m in [1/2, 1)
    small = m < np.sqrt(0.5)
    m, k = np.where(small, 2 * m, m), np.where(small, k - 1, k)  # m in [sqrt(1/2), sqrt(2))
    f = m - 1.0
    s = f / (2.0 + f)
    z, half = s * s, 0.5 * f * f
    series = np.zeros_like(z)
    for coefficient in LOG_SERIES:
        series = series * z + coefficient
    return k * LN2_HIGH - ((half - (s * (half + series * z) + k * LN2_LOW)) - f)


def lane_sum(x: np.ndarray) -> float:
    """Sum of float64 [n]: x[i] into lane i % 16, ascending; then the lanes 8 apart, 4, 2, 1."""
    rows = np.zeros((-(-len(x) // 16) + 1, 16))
    rows.flat[: len(x)] = x
    lanes = np.cumsum(rows, axis=0)[-1]
    for width in (8, 4, 2, 1):
        lanes = lanes[:width] + lanes[width : 2 * width]
    return float(lanes[0])
