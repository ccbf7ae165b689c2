"""What the rows of traces share: the same activations kept by each side, in each side's own names."""

from __future__ import annotations

from typing import Any

import numpy as np
from cutaway.bench import work
from cutaway.bench.summary import interleave, spread
from cutaway.bench.workers import Side

from . import probe
from .registry import Line
from .run import OURS, Run
from .summary import check

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
    """Seconds of one traced call per side, and of an untraced one of each of ours.

    reach: our side -> {peer: how many times faster}. The cost of looking is held against the time that this machine
    takes to write as many bytes.
    """
    with run.started(sides) as (workers, missing):
        line: Line = {"case": case, "unit": "s", "missing": missing, "sides": {}, "checks": []}
        ours = [label for label in workers if label.startswith(OURS)]
        gates: dict[str, Any] = {}
        for label, worker in workers.items():  # float32 peers against our float32 mode
            mine = next((x for x in ours if x.endswith("float32") and "float32" in label), ours[0])
            if label not in ours:
                compute = "float32" if "float32" in mine and "float32" in label else "int8"
                gates |= run.gates({OURS: workers[mine], label: worker}, ids[:48], compute=compute)
        line["gate"] = gates
        fit = {k: w for k, w in workers.items() if k in ours or gates[k]["passed"]}
        jobs = {f"{k}, traced": lambda k=k, w=w: w(work.traced, ids, names_of(k, kept)) for k, w in fit.items()}
        jobs |= {f"{k}, untraced": lambda w=w: w(work.prefill, ids) for k, w in fit.items() if k in ours}
        sizes = {k: w(work.trace_bytes, ids, names_of(k, kept)) for k, w in fit.items()}
        for label, values in interleave(jobs, run.rounds).items():
            side = label.rpartition(",")[0]
            line["sides"][label] = spread(values) | {"memory": fit[side].memory(), "bytes": sizes[side]}
        time = {label: side["median"] for label, side in line["sides"].items()}
        for label in ours:
            size = sizes[label]
            stream = size / (probe.bandwidth(size, run.threads, "write") * 1e9)
            cost = time[f"{label}, traced"] - time[f"{label}, untraced"]
            line["checks"].append(check(f"{label}: seconds to stream {size / 1e6:.0f} MB", stream))
            most = 1.3 if label.endswith("int8") and kept is SHOWN else None
            line["checks"].append(check(f"{label}: traced minus untraced, times streaming", cost / stream, most=most))
            for peer in fit:
                if peer not in ours:
                    ratio = time[f"{peer}, traced"] / time[f"{label}, traced"]
                    line["checks"].append(check(f"{label}: times {peer}", ratio, reach.get(label, {}).get(peer)))
        line["probes"] = run.probes(sizes[ours[0]]) if ours else {}
        return line
