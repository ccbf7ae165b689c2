"""Every attention pattern and residual stream of a prompt, kept."""

from collections.abc import Iterator

from cutaway.bench import work
from cutaway.bench.summary import interleave, spread

from ..files import TITLES, model_file
from ..registry import Line, row
from ..run import Run
from ..summary import check
from ..traces import SHOWN, compare

TOKENS, STEPS = 512, 64
REACH = {
    "cutaway, int8": {"TransformerLens float32": 7.0},
    "cutaway, float32": {"TransformerLens float32": 2.5},
}


@row("Tracing patterns and residuals of 512 tokens", 9)
def trace(run: Run) -> Iterator[Line]:
    """The last row's logits on every side. A trace ends before the next one begins, so buffers come from a warm
    pool; streaming is measured with non-temporal stores to memory that has been touched."""
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
    path, ids = model_file("smollm2"), work.plain_ids(STEPS + 1)
    case = f"{TITLES['smollm2']}, {STEPS} single steps, patterns and residuals"
    line: Line = {"case": case, "unit": "s", "missing": {}, "sides": {}, "checks": [], "gate": {}}
    with run.started({"cutaway": run.cutaway(path)}) as (workers, line["missing"]):
        worker, names = workers["cutaway"], SHOWN["cutaway"]
        jobs = {
            "cutaway, untraced": lambda: worker(work.decode, ids),
            "cutaway, traced": lambda: worker(work.decode_traced, ids, names),
        }
        for label, values in interleave(jobs, run.rounds).items():
            line["sides"][label] = spread(values) | {"memory": worker.memory()}
    time = {label: side["median"] for label, side in line["sides"].items()}
    more = 100 * (time["cutaway, traced"] / time["cutaway, untraced"] - 1)
    line["checks"].append(check("% that a trace adds to a step", more, most=2.0))
    return line
