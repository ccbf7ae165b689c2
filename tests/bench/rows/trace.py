"""Every attention pattern and residual stream of a prompt, kept."""

from collections.abc import Iterator

import numpy as np
from cutaway.bench import work
from cutaway.bench.summary import spread

from .. import limits
from ..files import TITLES, model_file
from ..registry import Line, row
from ..run import OURS, Run
from ..summary import check, median_interval
from ..traces import SHOWN, compare

TOKENS, STEPS = 512, 256
REACH = {
    "cutaway, int8": {"TransformerLens float32": 7.0},
    "cutaway, float32": {"TransformerLens float32": 2.5},
}


@row("Tracing patterns and residuals of 512 tokens", 9)
def trace(run: Run) -> Iterator[Line]:
    """The last row's logits on every side. A trace ends before the next one begins, so buffers come from a warm
    pool; streaming is measured with non-temporal stores to memory that has been touched. What a trace adds is the median of
    the differences between a traced and an untraced call side by side, with the 95 % interval that ranks give."""
    path = model_file("smollm2")
    sides = {
        "cutaway, int8": run.cutaway(path),
        "cutaway, float32": run.cutaway(path, compute="float32"),
        "transformers eager bfloat16": run.transformers(path, "bfloat16", "eager"),
        "TransformerLens float32": run.lens(path),
    }
    case = f"{TITLES['smollm2']}, patterns and residuals of {TOKENS} tokens"
    yield compare(run, case, sides, SHOWN, work.plain_ids(TOKENS), REACH)
    yield in_decode(run)


def in_decode(run: Run) -> Line:
    """Traced and untraced steps side by side in one text, so that both see the same lengths and the same moments."""
    path, ids = model_file("smollm2"), work.plain_ids(2 * STEPS + 1)
    case = f"{TITLES['smollm2']}, single steps, patterns and residuals"
    line: Line = {"case": case, "unit": "ms", "missing": {}, "sides": {}, "checks": [], "gate": {}}
    with run.started({OURS: run.cutaway(path)}) as (workers, line["missing"]):
        if OURS not in workers:
            return line
        probes = run.probes(limits.decode_bytes(limits.work_of(path), STEPS))
        found = []
        for _ in range(run.rounds):
            found.append(workers[OURS](work.decode_pairs, ids, SHOWN[OURS]))
            probes.take()
        memory = workers[OURS].memory()
    for job, label in enumerate((f"{OURS}, untraced", f"{OURS}, traced")):
        line["sides"][label] = spread([1e3 * float(np.median(turn[:, job])) for turn in found]) | {"memory": memory}
    both = np.concatenate(found)  # [pairs, 2]
    more, low, high = median_interval(100 * (both[:, 1] - both[:, 0]) / np.median(both[:, 0]))
    what = f"% that a trace adds to a step, {len(both):,} pairs"
    line["checks"].append(check(what, more, most=2.0, interval=(low, high)))
    line["probes"] = probes.facts()
    run.bounded_by_bandwidth(line, probes)
    return line
