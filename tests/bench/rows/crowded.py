"""More threads than cores, and a core that somebody else uses."""

import multiprocessing
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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


@row("A busy machine", 14)
def crowded(run: Run) -> Iterator[Line]:
    """Twice as many threads as there are cores: asked for, which starts as many as there are cores, and forced, for which
    there is no way but an environment variable of the tests. And the usual number beside one process that computes all the
    time. Shares are of the speed alone."""
    path = model_file("smollm2")
    more = run.cutaway(path, threads=2 * run.threads)
    with ExitStack() as stack:
        made = [Worker(run.cutaway(path)), Worker(more), Worker(more, {"CUTAWAY_OVERSUBSCRIBE": "1"})]
        for worker in made:
            stack.callback(worker.close)
        yield line_of(run, f"prefill {PROMPT}", made, work.prefill, work.plain_ids(PROMPT), PROMPT)
        yield line_of(run, f"decode {STEPS}", made, work.decode, work.plain_ids(STEPS + 1), STEPS)


def line_of(run: Run, what: str, made: list[Worker], job: Any, ids: np.ndarray, amount: int) -> Line:
    usual, twice = f"{OURS}, {run.threads} threads", f"{OURS}, {2 * run.threads} threads"
    forced, beside = f"{twice} forced", f"{usual}, a busy process beside it"
    workers = dict(zip((usual, twice, forced, beside), [*made, made[0]], strict=True))
    speed = {label: lambda w=worker: amount / w(job, ids) for label, worker in workers.items()}
    turns = interleave({label: speed[label] for label in (usual, twice, forced)}, run.rounds)
    with busy_process():
        turns |= interleave({beside: speed[beside]}, 2 * run.rounds)
    line: Line = {"case": f"{TITLES['smollm2']}, {what}", "unit": "tok/s", "missing": {}, "gate": {}}
    line["sides"] = {label: spread(v) | {"memory": workers[label].memory()} for label, v in turns.items()}
    median = {label: side["median"] for label, side in line["sides"].items()}
    line["checks"] = [
        check(f"{2 * run.threads} threads, times {run.threads}", median[twice] / median[usual], least=0.7),
        check(f"{2 * run.threads} threads forced, times {run.threads}", median[forced] / median[usual]),
        check("beside a busy process, times alone", median[beside] / median[usual], least=0.35),
        check("slowest call there, times its median", median[beside] / min(turns[beside]), most=10),
    ]
    return line


@contextmanager
def busy_process() -> Iterator[None]:
    """A process that computes until the block ends."""
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    process = context.Process(target=compute, args=(started,), daemon=True)
    process.start()
    try:
        started.wait(20)
        yield
    finally:
        process.kill()
        process.join()


def compute(started: Any) -> None:
    started.set()
    x = 1
    while True:
        x = x * 3 % 1_000_003
