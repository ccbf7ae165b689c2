"""One run of a row: which machine, how many threads and rounds; what every comparison has in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from cutaway.bench import gate, work
from cutaway.bench.summary import interleave, spread
from cutaway.bench.workers import Side, SideError, Worker

from . import limits, probe
from .registry import Line
from .summary import check

OURS = "cutaway"


def say_now(text: str) -> None:
    print(text, flush=True)


@dataclass
class Run:
    """threads and rounds of a run; `say` gets each line for people as it comes."""

    threads: int = 2
    rounds: int = 5
    quick: bool = False
    say: Callable[[str], object] = say_now
    facts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # side -> what it said about itself

    # ---- sides

    def cutaway(self, path: Path, **keywords: Any) -> Side:
        return Side("cutaway.bench.side_cutaway:Cutaway", {"path": str(path), "threads": self.threads} | keywords)

    def llama_cpp(self, path: Path, **keywords: Any) -> Side:
        return Side("cutaway.bench.side_llama_cpp:LlamaCpp", {"path": str(path), "threads": self.threads} | keywords)

    def transformers(self, path: Path, dtype: str, attention: str = "sdpa") -> Side:
        keywords = {"path": str(path), "threads": self.threads, "dtype": dtype, "attention": attention}
        return Side("bench.side_transformers:Transformers", keywords)

    def lens(self, path: Path) -> Side:
        return Side("bench.side_lens:Lens", {"path": str(path), "threads": self.threads})

    @contextmanager
    def started(self, sides: dict[str, Side]) -> Iterator[tuple[dict[str, Worker], dict[str, str]]]:
        """Workers of the sides that can run, and why the others cannot."""
        workers: dict[str, Worker] = {}
        missing: dict[str, str] = {}
        try:
            for label, side in sides.items():
                try:
                    workers[label] = Worker(side)
                    self._note(label, workers[label](work.facts))
                except SideError as err:
                    folder = str(Path(side.keywords["path"]).parent)
                    missing[label] = str(err).strip().splitlines()[0].replace(f"{folder}/", "")
                    self.say(f"  {label} cannot run: {missing[label]}")
            yield workers, missing
        finally:
            for worker in workers.values():
                worker.close()

    def _note(self, label: str, facts: dict[str, Any]) -> None:
        """Keeps what a side says about itself, without what differs from file to file."""
        kept = {
            key: value for key, value in facts.items() if key not in ("arch", "packed", "packing", "mapped", "threads")
        }
        known = self.facts.setdefault(label, [])
        if kept not in known:
            known.append(kept)
            self.say(f"  {label}: {', '.join(f'{key} {value}' for key, value in kept.items())}")

    # ---- one comparison

    def gates(
        self, workers: dict[str, Worker], ids: np.ndarray, exact: Side | None = None, compute: str = "int8"
    ) -> dict[str, Any]:
        """Gate of every peer against cutaway. exact: a side whose last row is the reference of the errors."""
        row = None
        if exact is not None:
            with Worker(exact) as reference:
                row = gate.work_row(reference, ids)
        out = {}
        for label, worker in workers.items():
            if not label.startswith(OURS):
                out[label] = gate.run(workers[OURS], worker, ids, compute, row)
                passed = "" if out[label]["passed"] else "  NOT PASSED: nothing is measured"
                self.say(f"  gate {gate.sentence(label, out[label])}{passed}")
        return out

    def compared(
        self,
        case: str,
        workers: dict[str, Worker],
        job: tuple[Any, ...],
        amount: float,
        gates: dict[str, Any],
        missing: dict[str, str],
        reach: dict[str, float],
        unit: str = "tok/s",
    ) -> Line:
        """Runs job = (function, *args) on every side whose gate is passed, by turns, and fills a line.

        amount: what one run does; a figure is amount / seconds. reach: peer -> the ratio to reach.
        """
        line: Line = {"case": case, "unit": unit, "gate": gates, "missing": missing, "sides": {}, "checks": []}
        fit = {k: w for k, w in workers.items() if k.startswith(OURS) or gates.get(k, {"passed": True})["passed"]}
        if OURS not in fit:
            return line
        turns = interleave({k: (lambda w=w: amount / w(*job)) for k, w in fit.items()}, self.rounds)
        for label, values in turns.items():
            line["sides"][label] = spread(values) | {"memory": fit[label].memory()}
        ours = line["sides"][OURS]
        for label in fit:
            if label != OURS:
                ratio = ours["median"] / line["sides"][label]["median"]
                line["checks"].append(check(f"times {label}", ratio, reach.get(label)))
        return line

    # ---- what stands beside the ratios

    def bounded_by_bandwidth(self, line: Line, path: Path, context: float, reach: float | None, kv_bytes: int = 2):
        """Adds the limit of decode, on a buffer of the size that one token reads, and each side's share of it."""
        asked = limits.work_of(path)
        size = int(limits.decode_bytes(asked, context, kv_bytes))
        rate = probe.bandwidth(size, self.threads)
        limit = limits.decode_limit(asked, rate, context, kv_bytes)
        line["probes"] = self.probes(size)
        line["limit"] = {"what": "bandwidth", "tok/s": round(limit, 1)}
        self._shares(line, limit, "% of the bandwidth limit", reach)

    def bounded_by_peak(self, line: Line, path: Path, tokens: int, compute: str = "int8") -> None:
        """Adds the limit of prefill and each side's share of it. Attention and the rest count as lost time."""
        asked = limits.work_of(path, compute)
        limit = limits.prefill_limit(asked, probe.peaks(self.threads), tokens)
        line["probes"] = self.probes(asked.body_bytes + asked.head_bytes)
        line["limit"] = {"what": "peak arithmetic", "tok/s": round(limit, 1)}
        self._shares(line, limit, "% of the arithmetic limit", None)

    def linear_share(self, line: Line, worker: Worker, ids: np.ndarray, reach: float | None) -> None:
        """Adds what the phases with matrices reach of the int8 peak of all threads, timed one by one."""
        peak = 1e9 * line["probes"]["int8 Gop/s"][str(self.threads)]
        rates = sorted(worker(work.linear_rate, ids) for _ in range(self.rounds))
        got = 100 * rates[len(rates) // 2] / peak
        line["checks"].append(check(f"{OURS}: linear layers, % of the int8 peak", got, reach))

    def _shares(self, line: Line, limit: float, what: str, reach: float | None) -> None:
        for label, side in line["sides"].items():
            share = 100 * side["median"] / limit
            line["checks"].append(check(f"{label}: {what}", share, reach if label == OURS else None))

    def probes(self, size: int) -> dict[str, Any]:
        """Measured now, on this machine: GB/s over `size` bytes, Gop/s."""
        int8, f32 = probe.instruction_sets()
        counts = sorted({1, self.threads})
        return {
            "bytes": size,
            "read GB/s": {str(n): round(probe.bandwidth(size, n), 2) for n in counts},
            "int8 Gop/s": {str(n): round(probe.peak("int8", n) or 0, 1) for n in counts},
            "f32 Gop/s": {str(n): round(probe.peak("f32", n) or 0, 1) for n in counts},
            "int8": int8,
            "f32": f32,
        }

    def memory_check(self, line: Line, peer: str = "llama.cpp", most: float | None = None) -> None:
        """Adds the ratio of the two peaks of memory, imports included."""
        sides = line["sides"]
        if OURS in sides and peer in sides:
            ratio = sides[OURS]["memory"]["peak"] / sides[peer]["memory"]["peak"]
            line["checks"].append(check(f"peak memory, times {peer}", ratio, most=most))
