"""Decode behind a long text."""

from collections.abc import Iterator

from cutaway.bench import work

from .. import limits
from ..files import TITLES, model_file
from ..registry import Line, row
from ..run import Run

CONTEXT, STEPS = 4096, 32


@row("Decode at 4,096 tokens of context", 8)
def long_context(run: Run) -> Iterator[Line]:
    """Each turn goes on where the last one of its side ended, so both sides see the same lengths."""
    n_ctx = CONTEXT + 512
    ids = work.plain_ids(n_ctx)
    steps = ids[CONTEXT : CONTEXT + STEPS]
    for name in ("smollm2", "gemma3"):
        path = model_file(name)
        sides = {"cutaway": run.cutaway(path, n_ctx=n_ctx), "llama.cpp": run.llama_cpp(path, n_ctx=n_ctx)}
        with run.started(sides) as (workers, missing):
            gates = run.gates(workers, ids[:64], run.exact(path, ids[:64]))
            length = CONTEXT + STEPS * (run.rounds + 1) / 2
            probes = run.probes(limits.decode_bytes(limits.work_of(path), length))
            for worker in workers.values():
                worker(work.fill, ids[:CONTEXT])
            case = f"{TITLES[name]}, decode {STEPS} at {CONTEXT}"
            job = (work.decode_on, steps)
            line = run.compared(case, workers, job, STEPS, gates, missing, {"llama.cpp": 1.5}, probes)
            run.bounded_by_bandwidth(line, probes)
            run.memory_check(line, most=1.15)
            yield line
