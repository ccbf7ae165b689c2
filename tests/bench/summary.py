"""Statistics of a few runs: median and spread, bootstrap intervals, and what a figure is compared with."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, smallest and largest, and the values themselves, to four significant digits."""
    shown = [significant(v) for v in values]
    return {
        "median": significant(statistics.median(values)),
        "low": min(shown),
        "high": max(shown),
        "runs": shown,
    }


def significant(value: float, digits: int = 4) -> float:
    """Rounded to this many significant digits: what a timing is good for."""
    return float(f"{value:.{digits}g}")


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def interleave(
    jobs: dict[str, Callable[[], float]],
    rounds: int,
    warmups: int = 1,
    said: Callable[[str, float], object] | None = None,
) -> dict[str, list[float]]:
    """Runs the jobs by turns (A B A B ...); what each returned, without its warm-up turns."""
    out: dict[str, list[float]] = {label: [] for label in jobs}
    for turn in range(-warmups, rounds):
        for label, job in jobs.items():
            value = job()
            if turn >= 0:
                out[label].append(value)
                if said:
                    said(label, value)
    return out


def check(what: str, got: float, least: float | None = None, most: float | None = None) -> dict[str, Any]:
    """One figure with its bound, if it has one, and whether it is reached."""
    out: dict[str, Any] = {"what": what, "got": significant(got)}
    if least is not None:
        out |= {"reach": significant(least), "side": "at least", "reached": bool(got >= least)}
    if most is not None:
        out |= {"reach": significant(most), "side": "at most", "reached": bool(got <= most)}
    return out


def bootstrap(
    statistic: Callable[..., float], blocks: Sequence[np.ndarray], draws: int = 2000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """The percentile interval of a statistic under resampling of whole blocks (Efron 1979; blocks: Kuensch 1989).

    blocks: arrays with one row per token; tokens of one text depend on each other, so texts are drawn, not tokens.
    statistic gets the drawn blocks joined along axis 0.
    """
    rng = np.random.default_rng(seed)
    drawn = [
        statistic(np.concatenate([blocks[i] for i in rng.integers(0, len(blocks), len(blocks))])) for _ in range(draws)
    ]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
