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
from .catalogues import lines_of
from .files import ROOT
from .registry import Line
from .run import OURS, Run
from .summary import check, unmeasured

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


def languages() -> dict[str, str]:
    """{title: text} of the languages that have a figure of their own."""
    titles = {"zh_CN": "Chinese", "hi": "Hindi", "ru": "Russian", "my": "Burmese"}
    lines = lines_of(lambda language: language in titles)
    return {title: "\n".join(lines[language]) for language, title in titles.items()}


def same(
    workers: dict[str, Worker],
    missing: dict[str, str],
    answer: Callable[[Worker], Any],
    differs: Callable[[Any, Any], str],
) -> tuple[dict[str, Worker], dict[str, str]]:
    """The sides that answer as we do, and what is wrong with the others. differs(theirs, ours): in words, "" if not."""
    ours, fit, unfit = answer(workers[OURS]), {OURS: workers[OURS]}, dict(missing)
    for label, worker in workers.items():
        if label == OURS:
            continue
        try:
            wrong = differs(answer(worker), ours)
        except SideError as err:
            unfit[label] = f"refuses this text: {str(err).strip().splitlines()[-1]}"
            continue
        if wrong:
            unfit[label] = wrong
        else:
            fit[label] = worker
    return fit, unfit


def other_ids(theirs: np.ndarray, ours: np.ndarray) -> str:
    return "" if np.array_equal(theirs, ours) else f"gives other ids: {len(theirs):,} of them, ours are {len(ours):,}"


def other_lists(theirs: tuple[np.ndarray, np.ndarray], ours: tuple[np.ndarray, np.ndarray]) -> str:
    equal = all(np.array_equal(*pair) for pair in zip(theirs, ours, strict=True))
    return "" if equal else f"gives other ids: {len(theirs[0]):,} of them, ours are {len(ours[0]):,}"


def other_bytes(theirs: bytes, ours: bytes) -> str:
    return "" if theirs == ours else f"gives another text: {len(theirs):,} bytes, ours are {len(ours):,}"


def same_ids(
    workers: dict[str, Worker], missing: dict[str, str], text: str
) -> tuple[dict[str, Worker], dict[str, str]]:
    return same(workers, missing, lambda worker: worker(work.ids, text), other_ids)


def timed(
    run: Run,
    case: str,
    unit: str,
    jobs: dict[str, Callable[[], float]],
    missing: dict[str, str],
    reach: dict[str, float],
) -> Line:
    """Jobs by turns. Units that end in /s are better large, others small. reach: {side: times that it is to be}; a side
    that is missing has not been reached."""
    line: Line = {"case": case, "unit": unit, "gate": {}, "missing": missing, "sides": {}, "checks": []}
    line["sides"] = {label: spread(values) for label, values in interleave(jobs, run.rounds).items()}
    ours = line["sides"][OURS]["median"]
    for label in jobs:
        if label != OURS:
            theirs = line["sides"][label]["median"]
            ratio = ours / theirs if unit.endswith("/s") else theirs / ours
            line["checks"].append(check(f"times {label}", ratio, reach.get(label)))
    line["checks"] += [unmeasured(f"times {label}", reach[label]) for label in missing if label in reach]
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
