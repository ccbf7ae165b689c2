"""What the rows of traces share: the same activations kept by each side, in each side's own names."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from cutaway.bench import gate, work
from cutaway.bench.summary import interleave, spread
from cutaway.bench.workers import Side, Worker

from . import probe
from .registry import Line
from .run import OURS, Run
from .summary import check, median_interval, paired

# side -> its names: patterns and residual streams of every layer
SHOWN = {
    OURS: ["blocks.*.attn.pattern", "blocks.*.resid_post"],
    "transformers eager bfloat16": ["attentions", "hidden states"],
    "TransformerLens float32": ["hook_pattern", "resid_post"],
}
EVERYTHING = {OURS: ["*"], "TransformerLens float32": ["*"]}


def names_of(label: str, kept: dict[str, list[str]]) -> list[str]:
    return kept[label.partition(",")[0]]


def compare(
    run: Run,
    case: str,
    sides: dict[str, Side],
    kept: dict[str, list[str]],
    ids: np.ndarray,
    reach: dict[str, dict[str, float]],
) -> Line:
    """Seconds of one traced call per side, and, by pairs, of traced and untraced ones of ours.

    reach: our side -> {peer: how many times faster}. The cost of looking is the median of what the two calls of a pair
    differ by, held against the time that this machine takes to write as many bytes, sampled between the pairs.
    """
    with run.started(sides) as (workers, missing):
        line: Line = {"case": case, "unit": "s", "missing": missing, "sides": {}, "checks": []}
        ours = [label for label in workers if label.startswith(OURS)]
        line["gate"], fit = gates(run, workers, ours, ids[:48])
        sizes = {k: w(work.trace_bytes, ids, names_of(k, kept)) for k, w in fit.items()}
        jobs = {k: partial(w, work.traced, ids, names_of(k, kept)) for k, w in fit.items()}
        turns = {f"{k}, traced": values for k, values in interleave(jobs, run.rounds).items()}
        pairs = (20 if kept is SHOWN else 6) // run.rounds + 1  # a round; an interval needs six
        for label in ours:
            probes = run.probes(sizes[label], "write")
            untraced, found = partial(workers[label], work.prefill, ids), []
            for _ in range(run.rounds):
                probes.take()
                found.append(paired(untraced, jobs[label], pairs))
            both = np.concatenate(found)
            turns[f"{label}, untraced in pairs"], turns[f"{label}, traced in pairs"] = both.T.tolist()
            most = 1.3 if label.endswith("int8") and kept is SHOWN else None
            line["checks"] += cost_of(label, both, sizes[label], probes, most)
            line["probes"] = probes.facts()
        for label, values in turns.items():
            side = label.rpartition(",")[0]
            line["sides"][label] = spread(values) | {"memory": fit[side].memory(), "bytes": sizes[side]}
        time = {label: side["median"] for label, side in line["sides"].items()}
        for label in ours:
            for peer in fit:
                if peer not in ours:
                    ratio = time[f"{peer}, traced"] / time[f"{label}, traced"]
                    line["checks"].append(check(f"{label}: times {peer}", ratio, reach.get(label, {}).get(peer)))
        return line


def gates(
    run: Run, workers: dict[str, Worker], ours: list[str], ids: np.ndarray
) -> tuple[dict[str, Any], dict[str, Worker]]:
    """Every peer against each of our sides, and the workers whose peers passed. Float32 peers meet our float32 mode as
    what computes the same. All of them round less than int8 mode; its errors are counted against our float32 mode."""
    found: dict[str, Any] = {}
    for label in (label for label in workers if label not in ours):
        for mine in ours:
            if mine.endswith("float32") and not label.endswith("float32"):
                continue
            pair = {OURS: workers[mine], f"{label} ({mine})": workers[label]}
            if mine.endswith("float32"):
                found |= run.gates(pair, ids, compute="float32")
            else:
                found |= run.gates(pair, ids, exact_row(workers, ids), finer=pair)
    passed = {
        label: all(facts["passed"] for name, facts in found.items() if name.startswith(label)) for label in workers
    }
    return found, {label: worker for label, worker in workers.items() if passed[label]}


def exact_row(workers: dict[str, Worker], ids: np.ndarray) -> np.ndarray | None:
    """The row of our float32 mode, if it runs."""
    reference = workers.get(f"{OURS}, float32")
    return None if reference is None else gate.work_row(reference, ids)


def cost_of(label: str, both: np.ndarray, size: int, probes: probe.Probes, most: float | None) -> list[dict[str, Any]]:
    """both: seconds of untraced and traced calls, [pairs, 2]."""
    stream = size / probes.rate
    median, low, high = median_interval(both[:, 1] - both[:, 0])
    what = f"{label}: traced minus untraced, {len(both)} pairs, times streaming"
    return [
        check(f"{label}: seconds to stream {size / 1e6:.0f} MB", stream),
        check(what, median / stream, most=most, interval=(low / stream, high / stream)),
    ]
