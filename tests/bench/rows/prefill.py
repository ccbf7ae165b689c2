"""A prompt of 512 tokens, the last row's logits."""

from collections.abc import Iterator

from cutaway.bench import work

from ..files import TITLES, model_file
from ..registry import Line, row
from ..run import OURS, Run

TOKENS = 512
REACH = {"smollm2": {"llama.cpp": 6.5, "torch bfloat16": 1.7}, "gemma3": {"llama.cpp": 3.3}}


@row("Prefill of 512 tokens", 1, 2, quick=True, one_thread=True)
def prefill(run: Run) -> Iterator[Line]:
    """The arithmetic limit counts the matrices alone and the time of everything. The linear layers' own share is timed
    phase by phase, by what `model.profile` counts with: products, norms, quantisation and activation functions."""
    ids = work.plain_ids(TOKENS)
    for name, reach in REACH.items():
        path = model_file(name)
        sides = {OURS: run.cutaway(path), "llama.cpp": run.llama_cpp(path)}
        if not run.quick:
            sides["torch bfloat16"] = run.transformers(path, "bfloat16")
        with run.started(sides) as (workers, missing):
            gates = run.gates(workers, ids[:64], exact=run.cutaway(path, compute="float32"))
            case = f"{TITLES[name]}, prefill {TOKENS}"
            line = run.compared(case, workers, (work.prefill, ids), TOKENS, gates, missing, reach)
            run.bounded_by_peak(line, path, TOKENS)
            run.linear_share(line, workers[OURS], ids, reach=45 if name == "smollm2" else None)
            run.memory_check(line)
            yield line
