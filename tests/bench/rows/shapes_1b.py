"""A Llama of a billion random weights, in seven types."""

from collections.abc import Iterator

from cutaway.bench import work

from .. import limits, llama_1b
from ..files import cache_folder
from ..registry import Line, row
from ..run import Run
from ..summary import check, past_limit

PREFILL, STEPS = 512, 32
PREFILL_REACH = {"F16": 1.2, "BF16": None}  # of 16-bit types; 2.5 for the others
MOST_NEEDED, SHARE = 1.2, 0.9  # decode: 1.2 times llama.cpp, or 90 % of the bandwidth limit where that is less


@row("A 1B-shaped Llama in seven types", 5, one_thread=True)
def shapes_1b(run: Run) -> Iterator[Line]:
    """Random blocks with set scales, 16 layers, d_model 2048, 32 heads (8 KV), d_mlp 8192, vocabulary 32,000. What is
    to be reached in decode is 1.2 times llama.cpp, or 90 % of the bandwidth limit where that is less."""
    for kind in llama_1b.TYPES:
        yield from of_type(run, kind)


def of_type(run: Run, kind: str) -> Iterator[Line]:
    path = llama_1b.cached(kind, cache_folder())
    ids = work.plain_ids(PREFILL, llama_1b.SHAPE["d_vocab"])
    sides = {"cutaway": run.cutaway(path), "llama.cpp": run.llama_cpp(path)}
    with run.started(sides) as (workers, missing):
        if "cutaway" not in workers:  # a type that this version does not know
            yield {"case": f"1B {kind}", "unit": "tok/s", "missing": missing, "sides": {}, "checks": [], "gate": {}}
            return
        gates = run.gates(workers, ids[:32], run.exact(path, ids[:32]))
        probes = run.probes(limits.decode_bytes(limits.work_of(path), STEPS / 2))
        decode = (work.decode, ids[: STEPS + 1])
        line = run.compared(f"1B {kind}, decode {STEPS}", workers, decode, STEPS, gates, missing, {}, probes)
        run.bounded_by_bandwidth(line, probes)
        needed(line)
        run.memory_check(line, most=1.15)
        yield line
        least = PREFILL_REACH.get(kind, 2.5)
        reach = {} if least is None else {"llama.cpp": least}
        prefill = (work.prefill, ids)
        probes = run.probes(path.stat().st_size)
        line = run.compared(f"1B {kind}, prefill {PREFILL}", workers, prefill, PREFILL, gates, missing, reach, probes)
        run.bounded_by_peak(line, probes, path, PREFILL)
        run.memory_check(line)
        yield line


def needed(line: Line) -> None:
    """Replaces the ratio's bound by what the bandwidth allows, where that is less than 1.2 and the limit is usable."""
    peer = line["sides"].get("llama.cpp")
    if peer:
        allowed = MOST_NEEDED if past_limit(line) else SHARE * line["limit"]["value"] / peer["median"]
        ratio = line["sides"]["cutaway"]["median"] / peer["median"]
        line["checks"][0] = check("times llama.cpp", ratio, least=min(MOST_NEEDED, allowed))
