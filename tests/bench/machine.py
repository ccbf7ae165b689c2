"""What a figure needs beside it: the machine, the commit, the command."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cutaway as ca
from cutaway.bench.machine import cpu_facts, cpu_name

from .files import ROOT


def commit() -> str:
    """The short hash, with "+" where tracked files differ from it."""

    def git(*args: str) -> str:
        return subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True).stdout.strip()

    results = "tests/bench/results docs/benchmarks.md".split()
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", *(f":!{path}" for path in results))
    return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")


def describe() -> dict[str, Any]:
    return {
        "cpu": cpu_name(),
        "MHz": round(float(cpu_facts().get("cpu MHz", 0))),
        "cores": len(os.sched_getaffinity(0)),
        "isa": os.environ.get("CUTAWAY_ISA") or ca.isas()[-1],
        "commit": commit(),
        "date": datetime.date.today().isoformat(),
        "load": round(os.getloadavg()[0], 2),
    }


def command(row: str, threads: int) -> str:
    """How one row is run again."""
    python = f"python -m bench {row}"
    return python if threads != 1 else f"{python} --threads 1"


def physical_cores() -> list[int]:
    """One CPU number per physical core among those this process may use, ascending."""
    seen: dict[tuple[str, ...], int] = {}
    for cpu in sorted(os.sched_getaffinity(0)):
        path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        seen.setdefault((path.read_text().strip(),) if path.exists() else (str(cpu),), cpu)
    return list(seen.values())


def pin(threads: int) -> list[int]:
    """Ties this process and all that it starts to `threads` physical cores; which ones."""
    cores = physical_cores()[:threads]
    if len(cores) < threads:
        sys.exit(f"{threads} threads are asked for, but this process may use {len(cores)} physical cores.")
    os.sched_setaffinity(0, cores)
    return cores
