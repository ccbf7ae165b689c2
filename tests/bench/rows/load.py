"""From a file to the first token."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from .. import llama_1b
from ..files import TITLES, cache_folder, model_file, plain_ids
from ..opening import first_token, opening, warm_page_cache
from ..registry import Line, row
from ..run import Run
from ..summary import check, interleave, spread
from ..workers import SideError, Worker

PROMPT = 8


@row("Load to first token", 11)
def load(run: Run) -> Iterator[Line]:
    """Each open in a fresh process, the file in the page cache, imports not counted; behind a prompt of 8 tokens.
    First open: an empty cache folder, so the file is packed. Second open: with what the first one left there."""
    yield of_file(run, TITLES["smollm2"], model_file("smollm2"))
    yield of_file(run, TITLES["gemma3"], model_file("gemma3"))
    yield of_file(run, "1B Q4_K", llama_1b.cached("Q4_K", cache_folder()))


def of_file(run: Run, title: str, path: Path) -> Line:
    line: Line = {"case": f"{title}, first token", "unit": "ms", "missing": {}, "sides": {}, "checks": [], "gate": {}}
    ids = plain_ids(PROMPT)
    sides = {"cutaway": opening(run.cutaway(path)), "llama.cpp": opening(run.llama_cpp(path))}
    seen: dict[str, set[int]] = {}
    memory: dict[str, dict[str, int]] = {}
    packed = 0

    def once(label: str, cache: str) -> float:
        nonlocal packed
        with Worker(sides[label.partition(",")[0]], {"CUTAWAY_CACHE": cache}) as worker:
            seconds, token, facts = worker(first_token, ids)
            memory[label] = worker.memory()
        seen.setdefault(label.partition(",")[0], set()).add(token)
        packed = facts.get("packed", packed)
        return 1e3 * seconds

    def first() -> float:
        with tempfile.TemporaryDirectory() as empty:
            return once("cutaway, first open", empty)

    warm_page_cache(path)
    with tempfile.TemporaryDirectory() as kept:
        jobs = {"cutaway, first open": first, "cutaway, second open": lambda: once("cutaway, second open", kept)}
        jobs["llama.cpp"] = lambda: once("llama.cpp", kept)
        try:
            once("llama.cpp", kept)
        except SideError as err:
            line["missing"]["llama.cpp"] = str(err)
            del jobs["llama.cpp"]
        for label, values in interleave(jobs, run.rounds).items():  # the warm-up turn fills `kept`
            line["sides"][label] = spread(values) | {"memory": memory[label]}
    time = {label: side["median"] for label, side in line["sides"].items()}
    line["gate"] = {"first tokens": {label: sorted(tokens) for label, tokens in seen.items()}}
    rate = packed / (time["cutaway, first open"] / 1e3) / 1e9 / run.threads
    line["checks"].append(check("first open: GB/s packed per core, all else included", rate, least=2.0))
    if "llama.cpp" in time:
        for label, most in (("first open", None), ("second open", 1.0)):
            ratio = time[f"cutaway, {label}"] / time["llama.cpp"]
            line["checks"].append(check(f"{label}: time, times llama.cpp", ratio, most=most))
    return line
