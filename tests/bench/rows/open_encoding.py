"""Encodings by name: from nothing to a tokenizer, and what it holds."""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median

from cutaway.bench.summary import interleave, spread
from cutaway.bench.workers import Side, SideError, Worker
from cutaway.encodings import _file_of

from .. import side_encodings as work
from ..files import shared_file
from ..registry import Line, row
from ..run import OURS, Run
from ..summary import check

NAMES = {"cl100k_base": (50.0, 10.0), "o200k_base": (None, None)}  # milliseconds: from ranks, packed
TEXT_BYTES = 1_000_000
FIRST, PACKED, THEIRS = f"{OURS}, from ranks", f"{OURS}, packed", "tiktoken"


@row("Loading a tokenizer", 19)
def open_encoding(run: Run) -> Iterator[Line]:
    """`ca.tokenizer(name)` and `tiktoken.get_encoding(name)`, each in a fresh process that has imported everything, the
    ranks in tiktoken's cache folder and in the page cache. From ranks: an empty cache folder of our own, so the ranks are
    read and the pack file is written; packed: that file is read. Memory: what the process has grown by when it has loaded
    the tokenizer and encoded 1 MB of English prose."""
    for name in NAMES:
        yield of_encoding(run, name)


def of_encoding(run: Run, name: str) -> Line:
    line: Line = {"case": f"{name}, loading", "unit": "ms", "missing": {}, "sides": {}, "checks": [], "gate": {}}
    ranks, book = shared_file(f"tokenizers/{name}.tiktoken"), shared_file("tokenizers/botchan.txt")
    if ranks is None or book is None:
        line["missing"]["the rank files"] = "../shared/conformance/tokenizers is not here; CUTAWAY_SHARED names it"
        return line
    prose = book.read_bytes()
    text = (prose * (TEXT_BYTES // len(prose) + 1))[:TEXT_BYTES].decode("utf-8", "ignore")
    sides = {FIRST: "Cutaway", PACKED: "Cutaway", THEIRS: "Tiktoken"}
    grown: dict[str, list[int]] = {label: [] for label in sides}
    ids: dict[str, str] = {}

    def once(label: str, cache: str, folder: str) -> float:
        environment = {"CUTAWAY_CACHE": cache, "CUTAWAY_PACK": "1", "TIKTOKEN_CACHE_DIR": folder}
        with Worker(Side(f"bench.side_encodings:{sides[label]}"), environment) as worker:
            seconds = worker(work.opening, name)
            grown[label].append(worker(work.growth_after, text))
            ids[label] = worker(work.hash_of_ids, text)
        return 1e3 * seconds

    def first(folder: str) -> float:
        with tempfile.TemporaryDirectory() as empty:
            return once(FIRST, empty, folder)

    with tempfile.TemporaryDirectory() as kept, tempfile.TemporaryDirectory() as folder:
        (Path(folder) / _file_of(name)).symlink_to(ranks.resolve())
        jobs = {FIRST: partial(first, folder), PACKED: partial(once, PACKED, kept, folder)}
        try:
            once(THEIRS, kept, folder)
            jobs[THEIRS] = partial(once, THEIRS, kept, folder)
        except SideError as err:
            line["missing"][THEIRS] = str(err)
        once(PACKED, kept, folder)  # writes the pack file
        if len(set(ids.values())) > 1:
            line["missing"][THEIRS] = "gives other ids"
            del jobs[THEIRS]
        line["gate"] = {"SHA-1 of the ids": ids}
        for label in jobs:
            grown[label].clear()
        for label, values in interleave(jobs, run.rounds).items():
            line["sides"][label] = spread(values)
    for label, most in zip((FIRST, PACKED), NAMES[name], strict=True):
        line["checks"].append(check(f"{label}: milliseconds", line["sides"][label]["median"], most=most))
    if THEIRS in jobs:
        for label in (FIRST, PACKED):
            ratio = line["sides"][THEIRS]["median"] / line["sides"][label]["median"]
            line["checks"].append(check(f"{label}: times {THEIRS}", ratio))
    for label in jobs:
        line["checks"].append(check(f"{label}: MB of memory", median(grown[label]) / 1e6))
    return line
