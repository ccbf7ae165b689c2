"""What the counters of `model.profile` cost."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from cutaway.bench import work
from cutaway.bench.summary import interleave, spread
from cutaway.bench.workers import Worker

from ..files import TITLES, model_file
from ..registry import Line, row
from ..run import OURS, Run
from ..summary import check

PROMPT, STEPS = 512, 64


@row("Profiling", 15)
def profile(run: Run) -> Iterator[Line]:
    """The same work with its phases timed and without. Switched off, the counters are one comparison a phase, so they
    cost less than what is measured here."""
    with run.started({OURS: run.cutaway(model_file("smollm2"))}) as (workers, missing):
        if not missing:
            yield line_of(run, f"prefill {PROMPT}", workers[OURS], work.prefill, work.plain_ids(PROMPT))
            yield line_of(run, f"decode {STEPS}", workers[OURS], work.decode, work.plain_ids(STEPS + 1))


def line_of(run: Run, what: str, ours: Worker, job: Any, ids: np.ndarray) -> Line:
    jobs = {"not profiled": lambda: 1e3 * ours(job, ids), "profiled": lambda: 1e3 * ours(timed, job, ids)}
    turns = interleave(jobs, 4 * run.rounds)
    least = {label: min(values) for label, values in turns.items()}
    return {
        "case": f"{TITLES['smollm2']}, {what}",
        "unit": "ms",
        "missing": {},
        "gate": {},
        "sides": {f"{OURS}, {k}": spread(v) | {"memory": ours.memory()} for k, v in turns.items()},
        "checks": [
            check("switched on, % of the fastest turn", 100 * (least["profiled"] / least["not profiled"] - 1), most=0.5)
        ],
    }


def timed(side: Any, function: Any, *args: Any) -> float:
    """The work, counted phase by phase."""
    with side.counting():
        return function(side, *args)
