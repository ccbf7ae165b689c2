"""A model so small that what counts is the cost of a call."""

from collections.abc import Iterator

from cutaway.bench import work

from .. import limits, stories
from ..files import cache_folder, shared_file
from ..registry import Line, row
from ..run import Run
from ..summary import check

STEPS, TIMES = 256, 16


@row("Decode of a 260K-parameter Llama", 7)
def tiny(run: Run) -> Iterator[Line]:
    """stories260K in float32. A turn is 16 times the same decode: one takes 20 ms, as long as a core needs to be awake.
    llama.cpp runs with one thread and with those of the run; the faster one counts."""
    checkpoint, vocabulary = (shared_file(f"models/{name}") for name in ("stories260K.bin", "tok512.bin"))
    line: Line = {"case": "stories260K", "unit": "tok/s", "missing": {}, "sides": {}, "checks": [], "gate": {}}
    if checkpoint is None or vocabulary is None:
        yield line | {"missing": {"the model": "../shared/conformance/models is not here; CUTAWAY_SHARED names it"}}
        return
    path = stories.convert(checkpoint, vocabulary, cache_folder() / "stories260K.gguf")
    ids = work.plain_ids(STEPS + 1, 512)
    peers = {"llama.cpp, 1 thread": run.llama_cpp(path, threads=1, n_ctx=512)}
    if run.threads > 1:
        peers[f"llama.cpp, {run.threads} threads"] = run.llama_cpp(path, n_ctx=512)
    with run.started({"cutaway": run.cutaway(path)} | peers) as (workers, missing):
        gates = run.gates(workers, ids[:64], compute="float32")
        probes = run.probes(limits.decode_bytes(limits.work_of(path), STEPS / 2, kv_bytes=4))
        job = (work.decode_often, ids, TIMES)
        line = run.compared(f"stories260K F32, decode {STEPS}", workers, job, STEPS * TIMES, gates, missing, {}, probes)
        measured = [side["median"] for label, side in line["sides"].items() if label in peers]
        if measured:
            ratio = line["sides"]["cutaway"]["median"] / max(measured)
            line["checks"].append(check("times the faster llama.cpp", ratio, least=5.0))
        run.bounded_by_bandwidth(line, probes)
        run.memory_check(line, "llama.cpp, 1 thread")
        yield line
