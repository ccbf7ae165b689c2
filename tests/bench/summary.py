"""What a figure is compared with, and bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import comb
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


def unmeasured(what: str, least: float) -> dict[str, Any]:
    """A bound whose other side could not be measured: it counts as not reached."""
    return {"what": what, "got": None, "reach": significant(least), "side": "at least", "reached": False}


def verdict(judged: dict[str, Any]) -> str:
    """yes | no | open | not measured, of what `check` or `unmeasured` gave, or "" where there is no bound."""
    if "reached" not in judged:
        return ""
    if judged.get("got", 0) is None:
        return "not measured"
    return "yes" if judged["reached"] else "open" if judged.get("open") else "no"


def share_check(what: str, share: float, reach: float | None, usable: bool) -> dict[str, Any]:
    """A share of a limit, in per cent. What is held against a limit that a side went past stays open."""
    out = check(what, share, least=reach)
    return out if usable or reach is None else out | {"reached": False, "open": True}


def past_limit(line: dict[str, Any]) -> list[str]:
    """The sides of a line that went past its limit."""
    return [c["what"].partition(":")[0] for c in line["checks"] if c["what"].endswith(" limit") and c["got"] > 100]


def limit_shares(line: dict[str, Any], what: str, seconds: float, reach: float | None = None) -> None:
    """Adds to a line the limit that a machine sets to one token or step, and each side's share of it.

    seconds: what the limit allows. reach: per cent that cutaway is to reach. Where a side's median is past the limit, the
    limit was measured while the machine gave less: it is said to be unusable, and nothing held against it is reached.
    """
    scale = {"tok/s": 1.0, "s": 1.0, "ms": 1e3}[line["unit"]]
    rising = line["unit"] == "tok/s"
    limit = scale / seconds if rising else scale * seconds
    shares = {
        label: 100 * (side["median"] / limit if rising else limit / side["median"])
        for label, side in line["sides"].items()
    }
    usable = max(shares.values(), default=0) <= 100
    line["limit"] = {"what": what, "value": significant(limit), "unit": line["unit"]}
    for label, share in shares.items():
        bound = reach if label.startswith("cutaway") else None
        line["checks"].append(share_check(f"{label}: % of the {what.split()[-1]} limit", share, bound, usable))


def paired(first: Callable[[], float], second: Callable[[], float], pairs: int) -> np.ndarray:
    """Two jobs side by side, each going first by turns, behind one warm-up of each: float64 [pairs, 2]."""
    first(), second()
    out = np.empty((pairs, 2))
    for i in range(pairs):
        for job in (0, 1) if i % 2 == 0 else (1, 0):
            out[i, job] = (first, second)[job]()
    return out


def median_interval(values: Sequence[float] | np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """(median, low, high): the interval between two order statistics that holds the median of what is drawn from with at
    least this probability, whatever the distribution (David and Nagaraja, Order Statistics, 7.1). Six values at least."""
    ordered = np.sort(np.asarray(values, np.float64))
    n = len(ordered)
    below, k = Fraction(1, 2**n), 0  # P(fewer than k + 1 of n values lie below the median)
    while 2 * (below + Fraction(comb(n, k + 1), 2**n)) <= 1 - level:
        k += 1
        below += Fraction(comb(n, k), 2**n)
    if 2 * below > 1 - level:
        raise ValueError(f"an interval of {level:.0%} needs more than {n} values")
    return float(np.median(ordered)), float(ordered[k]), float(ordered[n - 1 - k])


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
