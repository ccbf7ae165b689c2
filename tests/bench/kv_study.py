"""What a KV cache in fewer bits costs and saves: mean KL per token, memory, and the time of a decode step.

    python -m bench.kv_study [--tokens 2048] [--context 4096] [--steps 24] [--rounds 5] [--threads 2]

The texts and windows are those of bench.kl_study. Against the default of each compute mode, and of int8 mode against
float32 mode: what a change of the cache adds to what int8 mode costs anyway. Steps are timed by turns, the least counts.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cutaway as ca
import numpy as np

from . import machine
from .files import TITLES, model_file
from .kl import divergence
from .kl_study import PIECE, windows

TYPES = ("F32", "F16", "Q8_0")
# (what is taken for exact, what is judged): (compute, kv_type)
PAIRS = [
    (("int8", "F16"), ("int8", "Q8_0")),
    (("int8", "F16"), ("int8", "F32")),
    (("float32", "F32"), ("float32", "Q8_0")),
    (("float32", "F32"), ("float32", "F16")),
    *((("float32", "F32"), ("int8", kind)) for kind in TYPES),
]


def losses(path: Path, tokens: int, threads: int) -> None:
    """Prints mean KL and how often the likeliest token stays the same, per pair."""
    sides = {side for pair in PAIRS for side in pair}
    models = {side: ca.load(path, threads, side[0], kv_type=side[1]) for side in sides}
    found: dict[tuple, list[tuple[float, bool]]] = {pair: [] for pair in PAIRS}
    for _, ids in windows(path, tokens):
        sessions = {side: model.session() for side, model in models.items()}
        for start in range(0, len(ids), PIECE):
            rows = {side: s.append(ids[start : start + PIECE], "all") for side, s in sessions.items()}
            for pair in PAIRS:
                exact, other = rows[pair[0]], rows[pair[1]]
                kept = exact.argmax(1) == other.argmax(1)
                found[pair] += zip(divergence(exact, other)[:, 0], kept, strict=True)
    for (exact, other), pairs in found.items():
        kl, kept = np.asarray(pairs).T
        print(
            f"  KL({' '.join(exact):12} || {' '.join(other):12}) {kl.mean():.6f} nats, likeliest kept {kept.mean():.1%} "
            f"of {len(kl)} tokens",
            flush=True,
        )


def steps(path: Path, context: int, count: int, rounds: int, threads: int) -> None:
    """Prints bytes of a position and the least seconds of a decode step behind `context` positions, per type."""
    trunks = {}
    for kind in ("F16", "Q8_0"):
        model = ca.load(path, threads, "int8", kv_type=kind)
        trunks[kind] = model.session()
        trunks[kind].append((np.arange(context) * 7 % 20000 + 100).astype(np.int32), logits=None)
    took: dict[str, list[float]] = {kind: [] for kind in trunks}
    for _ in range(rounds):
        for kind, trunk in trunks.items():
            session = trunk.fork()
            for i in range(count):
                start = time.perf_counter()
                session.append(100 + i)
                took[kind].append(time.perf_counter() - start)
    for kind, seconds in took.items():
        print(
            f"  {kind:5} step behind {context} positions: least {min(seconds) * 1e3:.2f} ms, "
            f"median {np.median(seconds) * 1e3:.2f} ms",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.kv_study", description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=2048, help="of each model; 0: no KL (default 2048)")
    parser.add_argument("--context", type=int, default=4096, help="positions before a timed step (default 4096)")
    parser.add_argument("--steps", type=int, default=24, help="timed steps in a row (default 24)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each type; 0: no timing (default 5)")
    parser.add_argument("--threads", type=int, default=min(2, len(machine.physical_cores())))
    args = parser.parse_args()
    for name, title in TITLES.items():
        path = model_file(name)
        print(title, flush=True)
        if args.tokens:
            losses(path, args.tokens, args.threads)
        if args.rounds:
            steps(path, args.context, args.steps, args.rounds, args.threads)


if __name__ == "__main__":
    main()
