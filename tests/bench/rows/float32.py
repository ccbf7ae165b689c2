"""The reference mode: exact weights, float32 arithmetic."""

from collections.abc import Iterator

from cutaway.bench import work

from ..files import TITLES, model_file
from ..registry import Line, row
from ..run import Run

TOKENS = 512


@row("Prefill of 512 tokens in float32", 13)
def float32(run: Run) -> Iterator[Line]:
    """cutaway decodes the stored weights as it goes; torch has them decoded in memory."""
    ids = work.plain_ids(TOKENS)
    for name in ("smollm2", "gemma3"):
        path = model_file(name)
        sides = {"cutaway": run.cutaway(path, compute="float32"), "torch float32": run.transformers(path, "float32")}
        with run.started(sides) as (workers, missing):
            gates = run.gates(workers, ids[:64], compute="float32")
            reach = {"torch float32": 1.7} if name == "smollm2" else {}
            case = f"{TITLES[name]} in float32, prefill {TOKENS}"
            probes = run.probes(path.stat().st_size)
            line = run.compared(case, workers, (work.prefill, ids), TOKENS, gates, missing, reach, probes)
            run.bounded_by_peak(line, probes, path, TOKENS, compute="float32")
            run.memory_check(line, "torch float32")
            yield line
