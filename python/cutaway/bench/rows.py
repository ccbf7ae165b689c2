"""The rows of `cutaway bench`: what one turn of each does, in the words of the repository's harness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import work

Call = tuple[Any, ...]  # (function, *args) of a side

PROMPT, STEPS = 512, 128
CONTEXT, STEPS_BEHIND = 4096, 32
SEQUENCES, START, BATCH_STEPS = 8, 32, 16
TRACED = ["blocks.*.attn.pattern", "blocks.*.resid_post"]


@dataclass(frozen=True)
class Work:
    """One row on one vocabulary. job: seconds of `tokens` tokens. before: what is there when it begins."""

    tokens: int
    positions: int  # of the longest sequence
    job: Call
    same: Call  # does what `job` times, for the engine to count
    before: Call | None = None
    kept: Call | None = None  # bytes that the job writes for good
    sequences: int = 1


@dataclass(frozen=True)
class Row:
    """of: d_vocab, rounds -> the work. None where there are no tokens to count: opening the model."""

    name: str
    what: str
    of: Callable[[int, int], Work] | None
    quick: bool = False
    peers: bool = True


def _prefill(d_vocab: int, rounds: int) -> Work:
    ids = work.plain_ids(PROMPT, d_vocab)
    return Work(PROMPT, PROMPT, (work.prefill, ids), (work.prefill, ids))


def _decode(d_vocab: int, rounds: int) -> Work:
    ids = work.plain_ids(STEPS + 1, d_vocab)
    return Work(STEPS, STEPS + 1, (work.decode, ids), (work.decode_on, ids[1:]), before=(work.fill, ids[:1]))


def _long_context(d_vocab: int, rounds: int) -> Work:
    """Each turn goes on where the last one ended: counted, warmed up, then timed."""
    positions = CONTEXT + STEPS_BEHIND * (rounds + 2)
    ids = work.plain_ids(CONTEXT + STEPS_BEHIND, d_vocab)
    steps = (work.decode_on, ids[CONTEXT:])
    return Work(STEPS_BEHIND, positions, steps, steps, before=(work.fill, ids[:CONTEXT]))


def _batch(d_vocab: int, rounds: int) -> Work:
    prompt = work.plain_ids(START, d_vocab)
    job = (work.batch_steps, SEQUENCES, prompt, BATCH_STEPS)
    return Work(SEQUENCES, START + BATCH_STEPS, job, (work.batch_steps, SEQUENCES, prompt, 1), sequences=SEQUENCES)


def _trace(d_vocab: int, rounds: int) -> Work:
    ids = work.plain_ids(PROMPT, d_vocab)
    kept = (work.trace_bytes, ids, TRACED)
    return Work(PROMPT, PROMPT, (work.traced, ids, TRACED), (work.prefill, ids), kept=kept)


_ALL = (
    Row("prefill", f"{PROMPT} tokens at once", _prefill, quick=True),
    Row("decode", f"{STEPS} steps", _decode, quick=True),
    Row("long_context", f"{STEPS_BEHIND} steps behind {CONTEXT:,} tokens", _long_context),
    Row("batch", f"steps of {SEQUENCES} sequences", _batch),
    Row("trace", f"{PROMPT} tokens, patterns and residuals kept", _trace, peers=False),
    Row("load", "later loads, to the first token", None),
)
ROWS = {row.name: row for row in _ALL}
