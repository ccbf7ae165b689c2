"""One run of `cutaway bench`: the model and perhaps a peer, each in a process of its own, by turns, row by row."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from ..errors import ArgumentError, Error
from . import gate, work
from .opening import first_token, opening
from .rows import Row, Work
from .summary import interleave, significant, spread
from .workers import Side, SideError, Worker

OURS = "cutaway"
# peer -> what makes its side, the module it needs, how that is installed
PEERS = {
    "llama.cpp": (
        "cutaway.bench.side_llama_cpp:LlamaCpp",
        "llama_cpp",
        "CMAKE_ARGS=-DGGML_NATIVE=ON pip install --no-binary llama-cpp-python llama-cpp-python",
    )
}
_FIRST = 8  # tokens behind which the first token comes


def checked_peer(peer: str, path: Path) -> None:
    """ca.Error where it cannot be measured beside this model."""
    _, module, install = PEERS[peer]
    if find_spec(module) is None:
        raise Error(f"--peer {peer} needs a package that is not installed. This builds it for this machine: {install}")
    if path.is_dir():
        raise ArgumentError(f"{path} is a folder, and {peer} reads single GGUF files.")


@dataclass(frozen=True)
class About:
    """What the engine says of the model, and what came of the gate."""

    facts: dict[str, Any]
    n_ctx: int
    d_vocab: int
    peer: dict[str, Any] | None
    gate: dict[str, Any] | None


class Bench:
    """engine: keywords of `ca.load`. turn: called after each turn of a side."""

    def __init__(
        self, path: Path, engine: Mapping[str, Any], rounds: int, peer: str | None, turn: Callable[[], object]
    ) -> None:
        self._path, self._engine, self._rounds, self._peer, self._turn = path, engine, rounds, peer, turn
        self.flops, self.bandwidth = 0.0, 0.0
        """The ceilings: the best that was seen between the rows, since what disturbs a measurement only lowers it."""
        with self._workers({OURS: self._ours()}) as workers:
            self._raise(workers[OURS])
            facts, (n_ctx, d_vocab) = workers[OURS](work.facts), workers[OURS](_sizes)
            self.about = About(facts, n_ctx, d_vocab, None, None)
            if peer:
                ids = work.plain_ids(max(1, min(64, n_ctx - gate.TOKENS)), d_vocab)
                with self._workers({peer: self._theirs()}) as others:
                    got = gate.run(workers[OURS], others[peer], ids, facts["compute"])
                    self.about = About(facts, n_ctx, d_vocab, others[peer](work.facts), got)

    # ---- sides

    def _ours(self) -> Side:
        return Side("cutaway.bench.side_cutaway:Cutaway", {"path": str(self._path), **self._engine})

    def _theirs(self, **keywords: Any) -> Side:
        threads = self.about.facts["threads"]
        return Side(PEERS[str(self._peer)][0], {"path": str(self._path), "threads": threads, **keywords})

    @contextmanager
    def _workers(self, sides: Mapping[str, Side]) -> Iterator[dict[str, Worker]]:
        """What goes wrong over there, told here: cutaway's own sentences as they are."""
        kept = {"CUTAWAY_PACK": os.environ.get("CUTAWAY_PACK")}
        with ExitStack() as stack:
            label = OURS
            try:
                workers = {}
                for label, side in sides.items():
                    workers[label] = stack.enter_context(Worker(side, kept))
                yield workers
            except SideError as err:
                if isinstance(err.__cause__, Error):
                    raise err.__cause__ from None
                raise Error(f"{label} cannot run {self._path}: {str(err).strip().splitlines()[-1]}") from None

    def _raise(self, worker: Worker) -> None:
        flops, bandwidth = worker(work.ceilings)
        self.flops, self.bandwidth = max(self.flops, flops), max(self.bandwidth, bandwidth)

    # ---- rows

    def compared(self, row: Row) -> bool:
        """Whether the peer is measured too."""
        return row.peers and self.about.gate is not None and bool(self.about.gate["passed"])

    def positions(self, row: Row) -> int:
        """Of the longest sequence of a row."""
        return row.of(self.about.d_vocab, self._rounds).positions if row.of else _FIRST

    def run(self, row: Row) -> dict[str, Any]:
        """One row: the figures of each side. `limited` adds its limit when all rows are there."""
        timed = self._opened(row) if row.of is None else self._timed(row)
        if self._peer in timed:
            ours, theirs = timed[OURS], timed[self._peer]
            times = ours["median"] / theirs["median"] if row.of else theirs["median"] / ours["median"]
            return {"row": row.name, "what": row.what, **ours, "peer": theirs, "times_peer": significant(times)}
        return {"row": row.name, "what": row.what, **timed[OURS], "peer": None, "times_peer": None}

    def _timed(self, row: Row) -> dict[str, dict[str, Any]]:
        assert row.of is not None
        asked = row.of(self.about.d_vocab, self._rounds)
        sides = {OURS: self._ours()}
        if self.compared(row):
            sides[str(self._peer)] = self._theirs(n_ctx=max(512, asked.positions), sequences=asked.sequences)
        with self._workers(sides) as workers:
            for label, worker in workers.items():
                if asked.before:
                    worker(*asked.before)
                if label == OURS:
                    flops, read = worker(work.needed, *asked.same)
                else:
                    worker(*asked.same)  # so that all sides have come as far
            self._raise(workers[OURS])
            written = workers[OURS](*asked.kept) if asked.kept else 0
            jobs = {label: self._rate(worker, asked) for label, worker in workers.items()}
            turns = interleave(jobs, self._rounds)
            self._raise(workers[OURS])
            out = {
                label: {"unit": "tok/s", **spread(values), "memory": workers[label].memory()["peak"]}
                for label, values in turns.items()
            }
        out[OURS] |= {"tokens": asked.tokens, "flops": flops, "moved": read + written}
        return out

    def _rate(self, worker: Worker, asked: Work) -> Callable[[], float]:
        def turn() -> float:
            seconds = worker(*asked.job)
            self._turn()
            return float(asked.tokens / seconds)

        return turn

    def _opened(self, row: Row) -> dict[str, dict[str, Any]]:
        """Each load in a fresh process, imports not counted; the file and the pack file are in the page cache."""
        ids, memory = work.plain_ids(_FIRST, self.about.d_vocab), dict[str, int]()

        def once(label: str, side: Side) -> float:
            with self._workers({label: opening(side)}) as workers:
                seconds = workers[label](first_token, ids)[0]
                memory[label] = workers[label].memory()["peak"]
            self._turn()
            return 1e3 * float(seconds)

        sides = {OURS: self._ours()} | ({str(self._peer): self._theirs()} if self.compared(row) else {})
        jobs = {label: partial(once, label, side) for label, side in sides.items()}
        turns = interleave(jobs, self._rounds)
        return {label: {"unit": "ms", **spread(values), "memory": memory[label]} for label, values in turns.items()}

    def limited(self, figures: dict[str, Any]) -> dict[str, Any]:
        """With the rate that the ceilings allow for the work, as counted, and the share of it that was reached."""
        tokens, flops, moved = (figures.pop(key, None) for key in ("tokens", "flops", "moved"))
        if tokens is None:
            return figures | {"limit": None, "limited_by": None, "per_cent_of_limit": None}
        reading, arithmetic = moved / self.bandwidth, flops / self.flops
        limit = tokens / max(reading, arithmetic)
        return figures | {
            "limit": significant(limit),
            "limited_by": "bandwidth" if reading > arithmetic else "arithmetic",
            "per_cent_of_limit": significant(100 * median(figures["runs"]) / limit, 3),
        }


def _sizes(side: Any) -> tuple[int, int]:
    return side.model.n_ctx, side.d_vocab
