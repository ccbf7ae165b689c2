"""One run of a row: which machine, how many threads and rounds; what every comparison has in common."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from cutaway.bench import gate, work
from cutaway.bench.summary import interleave, spread
from cutaway.bench.workers import Side, SideError, Worker

from . import limits, probe
from .registry import Line
from .summary import check, limit_shares, share_check

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

    def exact(self, path: Path, ids: np.ndarray) -> np.ndarray:
        """The last row of float32 mode, against which errors are counted."""
        with Worker(self.cutaway(path, compute="float32")) as reference:
            return gate.work_row(reference, ids)

    def gates(
        self,
        workers: dict[str, Worker],
        ids: np.ndarray,
        exact: np.ndarray | None = None,
        compute: str = "int8",
        finer: Collection[str] = (),
    ) -> dict[str, Any]:
        """Gate of every peer against cutaway. exact: the row of the errors. finer: peers that round less than int8 mode
        by their nature, whose errors are shown and not judged."""
        out = {}
        for label, worker in workers.items():
            if not label.startswith(OURS):
                out[label] = gate.run(workers[OURS], worker, ids, compute, exact, judged=label not in finer)
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
        probes: probe.Probes,
    ) -> Line:
        """Runs job = (function, *args) on every side whose gate is passed, by turns, and fills a line.

        amount: the tokens of one run. reach: peer -> the ratio to reach. probes: sampled once a round.
        """
        line: Line = {"case": case, "unit": "tok/s", "gate": gates, "missing": missing, "sides": {}, "checks": []}
        fit = {k: w for k, w in workers.items() if k.startswith(OURS) or gates.get(k, {"passed": True})["passed"]}
        if OURS not in fit:
            return line
        turns = self.by_turns({k: (lambda w=w: amount / w(*job)) for k, w in fit.items()}, probes)
        line["probes"] = probes.facts()
        for label, values in turns.items():
            line["sides"][label] = spread(values) | {"memory": fit[label].memory()}
        ours = line["sides"][OURS]
        for label in fit:
            if label != OURS:
                ratio = ours["median"] / line["sides"][label]["median"]
                line["checks"].append(check(f"times {label}", ratio, reach.get(label)))
        return line

    def by_turns(self, jobs: dict[str, Callable[[], float]], probes: probe.Probes) -> dict[str, list[float]]:
        """`interleave`, with a sample of the machine in every round."""
        turns = interleave({**jobs, "": probes.take}, self.rounds)
        del turns[""]
        return turns

    # ---- what stands beside the ratios

    def probes(self, size: float, kind: str = "read") -> probe.Probes:
        return probe.Probes(int(size), self.threads, kind)

    def bounded_by_bandwidth(self, line: Line, probes: probe.Probes, reach: float | None = None) -> None:
        """Adds the limit of a step that reads the probes' buffer once, and each side's share of it."""
        if line["sides"]:
            limit_shares(line, "bandwidth", probes.size / probes.rate, reach)

    def bounded_by_peak(self, line: Line, probes: probe.Probes, path: Path, tokens: int, compute: str = "int8") -> None:
        """Adds the limit of prefill and each side's share of it. Attention and the rest count as lost time."""
        if line["sides"]:
            limit = limits.prefill_limit(limits.work_of(path, compute), probes.arithmetic, tokens)
            limit_shares(line, "peak arithmetic", 1 / limit)

    def linear_share(self, line: Line, probes: probe.Probes, worker: Worker, ids: np.ndarray, reach: float | None):
        """Adds what the phases with matrices reach of the int8 peak of all threads, timed one by one."""
        turns = self.by_turns({OURS: lambda: worker(work.linear_rate, ids)}, probes)
        line["probes"] = probes.facts()
        share = 100 * median(turns[OURS]) / (1e9 * probes.arithmetic["int8"])
        line["checks"].append(share_check(f"{OURS}: linear layers, % of the int8 peak", share, reach, share <= 100))

    def memory_check(self, line: Line, peer: str = "llama.cpp", most: float | None = None, ours: str = OURS) -> None:
        """Adds the ratio of the two peaks of memory, imports included."""
        sides = line["sides"]
        if ours in sides and peer in sides:
            ratio = sides[ours]["memory"]["peak"] / sides[peer]["memory"]["peak"]
            line["checks"].append(check(f"peak memory, times {peer}", ratio, most=most))
