"""From a file to the first token."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from cutaway.bench import work
from cutaway.bench.opening import first_token, memory_share, opening, warm_page_cache
from cutaway.bench.summary import spread
from cutaway.bench.workers import Side, SideError, Worker

from .. import llama_1b
from ..files import TITLES, cache_folder, model_file
from ..registry import Line, row
from ..run import Run
from ..summary import check

PROMPT = 8
TOGETHER = 4  # processes with the same model


@row("Load to first token", 11)
def load(run: Run) -> Iterator[Line]:
    """Each open in a fresh process, the file in the page cache, imports not counted; behind a prompt of 8 tokens.
    First open: an empty cache folder, so the file is read and packed and the pack file written. Second open: the pack file
    of the first one is mapped. Without a pack file the weights are packed into memory: the rate of packing alone, to which
    the bound belongs; the rate and the time of the first open itself stand beside it. All first tokens must be equal. Memory of four processes: the sum of their proportional set sizes, imports included."""
    yield of_file(run, TITLES["smollm2"], model_file("smollm2"))
    yield of_file(run, TITLES["gemma3"], model_file("gemma3"))
    yield of_file(run, "1B Q4_K", llama_1b.cached("Q4_K", cache_folder()))


def first_tokens(seen: dict[str, set[int]]) -> dict[str, Any]:
    """The gate: all runs of both sides give the same first token."""
    ours, theirs = sorted(seen["cutaway"]), sorted(seen["llama.cpp"])
    return {"ours": ours, "theirs": theirs, "passed": ours == theirs and len(ours) == 1}


def with_cache(side: Side, cache: str, pack: str = "1") -> Worker:
    return Worker(side, {"CUTAWAY_CACHE": cache, "CUTAWAY_PACK": pack})


def memory_of(processes: int, side: Side, ids: np.ndarray, cache: str) -> int:
    """What so many processes take that have loaded the same model and run it."""
    with ExitStack() as stack:
        workers = [stack.enter_context(with_cache(side, cache)) for _ in range(processes)]
        for worker in workers:
            worker(first_token, ids)
        return sum(worker(memory_share) for worker in workers)


def of_file(run: Run, title: str, path: Path) -> Line:
    line: Line = {"case": f"{title}, first token", "unit": "ms", "missing": {}, "sides": {}, "checks": [], "gate": {}}
    ids = work.plain_ids(PROMPT)
    sides = {"cutaway": opening(run.cutaway(path)), "llama.cpp": opening(run.llama_cpp(path))}
    seen: dict[str, set[int]] = {}
    memory: dict[str, dict[str, int]] = {}
    facts: dict[str, list[dict[str, Any]]] = {}

    def once(label: str, cache: str, pack: str = "1") -> float:
        with with_cache(sides[label.partition(",")[0]], cache, pack) as worker:
            seconds, token, said = worker(first_token, ids)
            memory[label] = worker.memory()
        seen.setdefault(label.partition(",")[0], set()).add(token)
        facts.setdefault(label, []).append(said)
        return 1e3 * seconds

    def first() -> float:
        with tempfile.TemporaryDirectory() as empty:
            return once("cutaway, first open", empty)

    warm_page_cache(path)
    with tempfile.TemporaryDirectory() as kept:
        jobs = {"cutaway, first open": first, "cutaway, second open": lambda: once("cutaway, second open", kept)}
        jobs["cutaway, no pack file"] = lambda: once("cutaway, no pack file", kept, "0")
        jobs["llama.cpp"] = lambda: once("llama.cpp", kept)
        try:
            once("llama.cpp", kept)
            jobs["cutaway, no pack file"]()
            line["gate"] = {"llama.cpp": first_tokens(seen)}
            if not line["gate"]["llama.cpp"]["passed"]:
                line["missing"]["llama.cpp"] = "its first token is another one"
        except SideError as err:
            line["missing"]["llama.cpp"] = str(err)
        if "llama.cpp" in line["missing"]:
            del jobs["llama.cpp"]
        probes = run.probes(path.stat().st_size)
        for label, values in run.by_turns(jobs, probes).items():  # the warm-up turn fills `kept`
            line["sides"][label] = spread(values) | {"memory": memory[label]}
        line["probes"] = probes.facts()
        if "llama.cpp" in jobs:  # every run counts, not the first alone
            line["gate"] = {"llama.cpp": first_tokens(seen)}
        held = {
            label: [memory_of(n, sides[label], ids, kept) for n in (1, TOGETHER)]
            for label in ("cutaway", "llama.cpp")
            if label not in line["missing"]
        }
    time = {label: side["median"] for label, side in line["sides"].items()}
    for label, did, least in (
        ("no pack file", "read and packed, as a first open packs", 2.0),
        ("first open", "read, packed and written", None),
    ):
        rates = [said["packed"] / said["packing"] / 1e9 / run.threads for said in facts[f"cutaway, {label}"]]
        line["checks"].append(check(f"{label}: GB/s {did} per core", median(rates), least=least))
    mapped = [said["mapped"] for said in facts["cutaway, second open"][1:]]
    line["checks"].append(check("second open: share of runs that mapped the pack file", sum(mapped) / len(mapped)))
    if "llama.cpp" in time and line["gate"]["llama.cpp"]["passed"]:
        for label, most in (("first open", None), ("no pack file", None), ("second open", 1.0)):
            ratio = time[f"cutaway, {label}"] / time["llama.cpp"]
            line["checks"].append(check(f"{label}: time, times llama.cpp", ratio, most=most))
        run.memory_check(line, ours="cutaway, second open")
    for label, (one, four) in held.items():
        line["checks"].append(check(f"{label}: MB of memory, one process", one / 1e6))
        line["checks"].append(check(f"{label}: MB of memory, {TOGETHER} processes together", four / 1e6))
    return line
