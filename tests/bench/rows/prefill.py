"""A prompt of 512 tokens, the last row's logits."""

from collections.abc import Iterator

from cutaway.bench import work

from ..files import TITLES, model_file
from ..registry import Line, row
from ..run import OURS, Run

TOKENS = 512
DTYPES = {"smollm2": ("bfloat16", "float32"), "gemma3": ("bfloat16",)}
TORCH = ("torch bfloat16", "torch float32")
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
            sides |= {f"torch {dtype}": run.transformers(path, dtype) for dtype in DTYPES[name]}
        with run.started(sides) as (workers, missing):
            gates = run.gates(workers, ids[:64], run.exact(path, ids[:64]), finer=TORCH)
            probes = run.probes(path.stat().st_size)
            case = f"{TITLES[name]}, prefill {TOKENS}"
            line = run.compared(case, workers, (work.prefill, ids), TOKENS, gates, missing, reach, probes)
            run.bounded_by_peak(line, probes, path, TOKENS)
            run.linear_share(line, probes, workers[OURS], ids, reach=45 if name == "smollm2" else None)
            run.memory_check(line)
            yield line
