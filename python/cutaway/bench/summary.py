"""Statistics of a few turns: the turns themselves, their median and spread, and how a figure is written."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any


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


def number(value: float) -> str:
    """Four significant digits, no exponent."""
    if value == 0:
        return "0"
    digits = max(0, 3 - int(f"{value:e}".split("e")[1]))
    text = f"{value:,.{min(digits, 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def interleave(
    jobs: Mapping[str, Callable[[], float]],
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
