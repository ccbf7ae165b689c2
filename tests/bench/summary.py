"""What a figure is compared with, and bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from cutaway.bench.summary import significant


def check(what: str, got: float, least: float | None = None, most: float | None = None) -> dict[str, Any]:
    """One figure with its bound, if it has one, and whether it is reached."""
    out: dict[str, Any] = {"what": what, "got": significant(got)}
    if least is not None:
        out |= {"reach": significant(least), "side": "at least", "reached": bool(got >= least)}
    if most is not None:
        out |= {"reach": significant(most), "side": "at most", "reached": bool(got <= most)}
    return out


def unmeasured(what: str, least: float) -> dict[str, Any]:
    """A bound whose other side could not be measured: it counts as not reached."""
    return {"what": what, "got": None, "reach": significant(least), "side": "at least", "reached": False}


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
