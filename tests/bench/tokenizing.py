"""What comparisons of tokenizers have in common: the texts, the check of the ids, the turns."""

from __future__ import annotations

import json
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from cutaway.bench.summary import interleave, spread
from cutaway.bench.workers import Side, SideError, Worker

from . import side_tokenizers as work
from .files import ROOT
from .registry import Line
from .run import OURS, Run
from .summary import check

SOURCE_BYTES = 4_300_000


def python_source() -> str:
    """The standard library, file after file."""
    parts, size = [], 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if size >= SOURCE_BYTES or "site-packages" in path.parts:
            continue
        parts.append(path.read_text(encoding="utf-8", errors="replace"))
        size += len(parts[-1])
    return "".join(parts)[:SOURCE_BYTES]


def scripts() -> str:
    return "\n".join(json.loads((ROOT / "tests/golden/tokenizer_lines.json").read_text(encoding="utf-8")))


def sides_of(path: Path, sides: dict[str, str], threads: int = 1) -> dict[str, Side]:
    keywords = {"path": str(path), "threads": threads}
    return {label: Side(f"bench.side_tokenizers:{name}", keywords) for label, name in sides.items()}


def same_ids(
    workers: dict[str, Worker], missing: dict[str, str], text: str
) -> tuple[dict[str, Worker], dict[str, str]]:
    """The sides that give our ids of this text, and what is wrong with the others."""
    ours, fit, unfit = workers[OURS](work.ids, text), {}, dict(missing)
    for label, worker in workers.items():
        try:
            theirs = worker(work.ids, text)
        except SideError as err:
            unfit[label] = f"refuses this text: {str(err).strip().splitlines()[-1]}"
            continue
        if np.array_equal(ours, theirs):
            fit[label] = worker
        else:
            unfit[label] = f"gives other ids: {len(theirs):,} of them, ours are {len(ours):,}"
    return fit, unfit


def timed(
    run: Run,
    case: str,
    unit: str,
    jobs: dict[str, Callable[[], float]],
    missing: dict[str, str],
    reach: dict[str, float],
) -> Line:
    """Jobs by turns. Units that end in /s are better large, others small."""
    line: Line = {"case": case, "unit": unit, "gate": {}, "missing": missing, "sides": {}, "checks": []}
    line["sides"] = {label: spread(values) for label, values in interleave(jobs, run.rounds).items()}
    ours = line["sides"][OURS]["median"]
    for label in jobs:
        if label != OURS:
            theirs = line["sides"][label]["median"]
            ratio = ours / theirs if unit.endswith("/s") else theirs / ours
            line["checks"].append(check(f"times {label}", ratio, reach.get(label)))
    return line


def rate(
    run: Run,
    case: str,
    workers: dict[str, Worker],
    missing: dict[str, str],
    text: str,
    job: Any,
    reach: dict[str, float],
) -> Line:
    fit, unfit = same_ids(workers, missing, text)
    megabytes = len(text.encode()) / 1e6
    jobs = {label: lambda w=worker: megabytes / w(job, text) for label, worker in fit.items()}
    return timed(run, case, "MB/s", jobs, unfit, reach)
