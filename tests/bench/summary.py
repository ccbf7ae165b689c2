"""What a figure is compared with, and bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from cutaway.bench.summary import significant


def check(
    what: str,
    got: float,
    least: float | None = None,
    most: float | None = None,
    interval: Sequence[float] | None = None,
) -> dict[str, Any]:
    """One figure with its bound, if it has one, and whether it is reached.

    interval: (low, high) of the figure. Then a bound counts as reached only if all of the interval is on its right side;
    one inside the interval is open, which is not reached.
    """
    out: dict[str, Any] = {"what": what, "got": significant(got)}
    low, high = (got, got) if interval is None else interval
    if interval is not None:
        out["interval"] = [significant(low), significant(high)]
    if least is not None:
        out |= {"reach": significant(least), "side": "at least", "reached": bool(low >= least)}
        bound = least
    if most is not None:
        out |= {"reach": significant(most), "side": "at most", "reached": bool(high <= most)}
        bound = most
    if "reach" in out and interval is not None and low <= bound <= high and not out["reached"]:
        out["open"] = True
    return out


def verdict(judged: dict[str, Any]) -> str:
    """yes | no | open, of what `check` gave, or "" where there is no bound."""
    if "reached" not in judged:
        return ""
    return "yes" if judged["reached"] else "open" if judged.get("open") else "no"


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
