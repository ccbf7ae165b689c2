"""Pearson's chi-square (1900): were tokens drawn as often as a distribution says, or is the difference beyond chance?

Beyond chance: statistic(counts, draws * probs) > critical(df), with df = number of candidates - 1.
"""

import math

import numpy as np


def statistic(counts: np.ndarray, expected: np.ndarray) -> float:
    """Sum of (counts - expected)^2 / expected, both [n]. A token drawn that has probability 0 makes it infinite."""
    counts, expected = np.asarray(counts, np.float64), np.asarray(expected, np.float64)
    possible = expected > 0
    if counts[~possible].any():
        return math.inf
    return float(((counts - expected)[possible] ** 2 / expected[possible]).sum())


def tail(x: float, df: int) -> float:
    """P(chi-square with `df` degrees of freedom > x): the regularized upper incomplete gamma function Q(df/2, x/2)."""
    half, a = x / 2, (df % 2) / 2
    q = math.erfc(math.sqrt(half)) if df % 2 else 0.0
    while a < df / 2:  # Q(a + 1, x) = Q(a, x) + x^a e^-x / gamma(a + 1)
        q += half**a * math.exp(-half) / math.gamma(a + 1)
        a += 1
    return q


def critical(df: int, alpha: float = 0.001) -> float:
    """The value that the statistic of honest draws exceeds with probability `alpha`, by bisection."""
    low, high = 0.0, 1.0
    while tail(high, df) > alpha:
        high *= 2
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if tail(middle, df) > alpha else (low, middle)
    return high
