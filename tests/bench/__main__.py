"""python -m bench [ROW ...] [--quick] [--threads N] [--rounds N] [--results FOLDER]

Without rows: all of them, then those of the one-thread row with one thread, and each is stored. --quick: fewer rounds,
the rows that need only the two real models and llama.cpp; nothing is stored unless --results says where.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from cutaway.bench.workers import CLEARED, SideError

from . import machine
from .files import ROOT
from .registry import ROWS, Row, all_rows
from .run import Run
from .summary import verdict

SAID = {"yes": "reached", "no": "SHORT", "open": "OPEN", "not measured": "not measured"}
RESULTS = ROOT / "tests" / "bench" / "results"


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(prog="python -m bench", description="cutaway beside other engines, by turns.")
    out.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(r.name for r in all_rows())}; default all")
    out.add_argument("--quick", action="store_true", help="three minutes: fewer rounds and rows, nothing stored")
    out.add_argument("--threads", type=int, help="default 2, or what the machine has, and 1 for the one-thread row")
    out.add_argument("--rounds", type=int, help="turns of each side (default 5, with --quick 3)")
    out.add_argument("--results", type=Path, help="where results are stored")
    return out


def plan(args: argparse.Namespace, cores: int) -> list[tuple[Row, int]]:
    """(row, threads) in the order they run."""
    rows = all_rows()
    unknown = [name for name in args.rows if name not in ROWS]
    if unknown:
        sys.exit(f"There is no row {unknown[0]!r}; the rows are {', '.join(ROWS)}.")
    chosen = [r for r in rows if (r.name in args.rows if args.rows else r.quick or not args.quick)]
    threads = args.threads or min(2, cores)
    out = [(r, threads) for r in chosen]
    if not (args.rows or args.quick or args.threads) and threads > 1:
        out += [(r, 1) for r in chosen if r.one_thread]
    return out


def print_line(line: dict[str, Any]) -> None:
    print(f"  {line['case']}")
    for label, side in line["sides"].items():
        memory = side.get("memory")
        held = f", {memory['peak'] / 1e6:.0f} MB" if memory else ""
        print(f"    {label:24} {side['median']:10.4g} {line['unit']} ({side['low']:.4g} to {side['high']:.4g}{held})")
    for label, why in line["missing"].items():
        print(f"    {label}: not measured: {why}")
    for c in line["checks"]:
        bound = f"  {c['side']} {c['reach']}: {SAID[verdict(c)]}" if "reach" in c else ""
        interval = f" ({c['interval'][0]} to {c['interval'][1]})" if "interval" in c else ""
        got = "" if c["got"] is None else f"{c['got']:.4g}"
        print(f"    {c['what']:44} {got:>10}{interval}{bound}")
    if "probes" in line:
        print(f"    machine: {json.dumps(line['probes'])}")
    sys.stdout.flush()


def run_row(row: Row, threads: int, args: argparse.Namespace, load: float) -> dict[str, Any]:
    """One row, printed as it comes; what is stored. load: of the machine before the first row."""
    began = time.monotonic()
    run = Run(threads, args.rounds or (3 if args.quick else 5), args.quick)
    about = machine.describe() | {"load at start": load}
    result: dict[str, Any] = {
        "row": row.name,
        "title": row.title,
        "numbers": list(row.numbers),
        "about": row.about,
        "machine": about,
        "threads": threads,
        "rounds": run.rounds,
        "command": machine.command(row.name, threads),
        "lines": [],
    }
    print(f"{row.title} ({row.name}), {threads} thread{'s' * (threads > 1)}", flush=True)
    for line in row.lines(run):
        print_line(line)
        result["lines"].append(line)
    result["sides"] = run.facts
    result["seconds"] = round(time.monotonic() - began)
    return result


def store(result: dict[str, Any], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    suffix = "" if result["threads"] != 1 else "_one_thread"
    path = folder / f"{result['row']}{suffix}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    return path


def main() -> int:
    args = parser().parse_args()
    for key in CLEARED:
        os.environ.pop(key, None)
    allowed = os.sched_getaffinity(0)
    about = machine.describe()
    print(", ".join(f"{key} {value}" for key, value in about.items()), flush=True)
    status = 0
    for row, threads in plan(args, len(machine.physical_cores())):
        os.sched_setaffinity(0, allowed)
        machine.pin(threads)
        try:
            result = run_row(row, threads, args, about["load"])
        except (SideError, OSError) as err:  # the other rows are still worth having
            print(f"{row.name} could not be measured: {err}", file=sys.stderr, flush=True)
            status = 1
            continue
        folder = args.results or (None if args.quick else RESULTS)
        if folder:
            print(f"  stored in {store(result, folder)} after {result['seconds']} s", flush=True)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
