"""More threads than cores, and a core that somebody else uses."""

import multiprocessing
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
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
    time. Shares are of the speed alone. No single call, a prefill or a step, may take more than ten times the median of its kind."""
    path = model_file("smollm2")
    more = run.cutaway(path, threads=2 * run.threads)
    with ExitStack() as stack:
        made = [Worker(run.cutaway(path)), Worker(more), Worker(more, {"CUTAWAY_OVERSUBSCRIBE": "1"})]
        for worker in made:
            stack.callback(worker.close)
        yield line_of(run, f"prefill {PROMPT}", made, one_call, work.plain_ids(PROMPT), PROMPT)
        yield line_of(run, f"decode {STEPS}", made, work.step_times, work.plain_ids(STEPS + 1), 1)


def line_of(run: Run, what: str, made: list[Worker], job: Any, ids: np.ndarray, amount: int) -> Line:
    usual, twice = f"{OURS}, {run.threads} threads", f"{OURS}, {2 * run.threads} threads"
    forced, beside = f"{twice} forced", f"{usual}, a busy process beside it"
    workers = dict(zip((usual, twice, forced, beside), [*made, made[0]], strict=True))
    calls: dict[str, list[float]] = {label: [] for label in workers}

    def turn(label: str) -> float:
        seconds = workers[label](job, ids)
        calls[label] += seconds
        return amount * len(seconds) / sum(seconds)

    speed = {label: partial(turn, label) for label in workers}
    turns = interleave({label: speed[label] for label in (usual, twice, forced)}, run.rounds)
    with busy_process():
        turns |= interleave({beside: speed[beside]}, 2 * run.rounds)
    line: Line = {"case": f"{TITLES['smollm2']}, {what}", "unit": "tok/s", "missing": {}, "gate": {}}
    line["sides"] = {label: spread(v) | {"memory": workers[label].memory()} for label, v in turns.items()}
    median = {label: side["median"] for label, side in line["sides"].items()}
    line["checks"] = [
        check(f"{2 * run.threads} threads, times {run.threads}", median[twice] / median[usual], least=0.7),
        check(f"{2 * run.threads} threads forced, times {run.threads}", median[forced] / median[usual], least=0.7),
        check("beside a busy process, times alone", median[beside] / median[usual], least=0.35),
        *(slowest_call(label, seconds) for label, seconds in calls.items() if label != usual),
    ]
    return line


def one_call(side: Any, ids: np.ndarray) -> list[float]:
    return [work.prefill(side, ids)]


def slowest_call(label: str, seconds: list[float]) -> dict[str, Any]:
    """Of single calls: one prefill, or one step."""
    what = f"{label}: slowest of {len(seconds)} calls, times their median"
    return check(what, max(seconds) / float(np.median(seconds)), most=10)


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
