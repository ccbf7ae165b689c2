"""The identity gate: a comparison is measured only if both sides compute the same thing."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import work
from .workers import Worker

TOKENS = 16
CORRELATION = {"int8": 0.99, "float32": 0.9999}
MOST_ERROR = 1.5  # times the peer's, root mean square against float32


def agreement(ours: np.ndarray, theirs: np.ndarray, exact: np.ndarray | None = None) -> dict[str, float]:
    """Two rows of logits: their correlation, and each side's error (largest, and root mean square) in units of the
    exact row's spread."""
    out = {"correlation": round(float(np.corrcoef(ours, theirs)[0, 1]), 6)}
    if exact is not None:
        scale = float(exact.std())
        for name, row in (("", ours), ("peer ", theirs)):
            error = np.abs(row - exact)
            out[f"{name}error"] = round(float(error.max()) / scale, 5)
            out[f"{name}rms"] = round(float(np.sqrt(np.square(error, dtype=np.float64).mean())) / scale, 6)
    return out


def same_prefix(a: list[int], b: list[int]) -> int:
    """How many leading ids are equal."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y), len(a))


def passes(facts: dict[str, Any], compute: str = "int8", judged: bool = True) -> bool:
    """Equal greedy ids, or logits that go together: engines that round differently part at near ties. And, where it is
    known and judged, an error that is not more than 1.5 times the peer's."""
    if judged and "rms" in facts and facts["rms"] > MOST_ERROR * facts["peer rms"]:
        return False
    return bool(facts["greedy"] == facts["tokens"] or facts["correlation"] >= CORRELATION[compute])


def run(
    ours: Worker,
    theirs: Worker,
    ids: np.ndarray,
    compute: str = "int8",
    exact: np.ndarray | None = None,
    judged: bool = True,
) -> dict[str, Any]:
    """The gate between two sides on these ids; "passed" says whether figures may follow."""
    facts: dict[str, Any] = agreement(work_row(ours, ids), work_row(theirs, ids), exact)
    facts["greedy"] = same_prefix(ours(work.greedy, ids, TOKENS), theirs(work.greedy, ids, TOKENS))
    facts["tokens"] = TOKENS
    facts["passed"] = passes(facts, compute, judged)
    return facts


def work_row(side: Worker, ids: np.ndarray) -> np.ndarray:
    row = side(work.last_logits, ids)
    if not np.isfinite(row).all():
        raise ValueError("a side gave logits that are not finite")
    return row


def sentence(label: str, facts: dict[str, Any]) -> str:
    """For people."""
    ids = f"{facts['greedy']} of {facts['tokens']} greedy ids equal"
    return f"{label}: {ids}, correlation {facts['correlation']:.5f}{errors(facts)}"


def errors(facts: dict[str, Any]) -> str:
    """Both sides' errors against float32, where they are known."""
    out = ""
    if "rms" in facts:
        out += f", error {facts['rms']:.3g} beside {facts['peer rms']:.3g} (root mean square)"
    if "error" in facts:
        out += f", largest {facts['error']:.3g} beside {facts['peer error']:.3g}"
    return out
