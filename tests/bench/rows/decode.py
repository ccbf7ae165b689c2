"""Single steps behind a short text."""

from collections.abc import Iterator

from cutaway.bench import work

from .. import limits
from ..files import TITLES, model_file
from ..registry import Line, row
from ..run import Run

STEPS = 128
REACH = {"smollm2": (1.8, 75), "gemma3": (1.7, 80)}  # times llama.cpp, % of the bandwidth limit


@row("Decode of 128 tokens", 3, 4, quick=True, one_thread=True)
def decode(run: Run) -> Iterator[Line]:
    """The bandwidth limit counts every weight once a token, and keys and values at the mean length of the text."""
    ids = work.plain_ids(STEPS + 1)
    for name, (ratio, share) in REACH.items():
        path = model_file(name)
        sides = {"cutaway": run.cutaway(path), "llama.cpp": run.llama_cpp(path)}
        with run.started(sides) as (workers, missing):
            gates = run.gates(workers, ids[:64], run.exact(path, ids[:64]))
            probes = run.probes(limits.decode_bytes(limits.work_of(path), STEPS / 2))
            case = f"{TITLES[name]}, decode {STEPS}"
            line = run.compared(case, workers, (work.decode, ids), STEPS, gates, missing, {"llama.cpp": ratio}, probes)
            run.bounded_by_bandwidth(line, probes, reach=share)
            run.memory_check(line, most=1.15)
            yield line
