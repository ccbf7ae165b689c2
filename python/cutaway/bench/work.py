"""What is timed, and on which ids. Each function runs in a side's own process and returns seconds.

A side has clear(), append(ids) -> logits of the last row, and what single rows ask of it.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np


def plain_ids(n: int, d_vocab: int = 30100) -> np.ndarray:
    """n ids spread over the vocabulary, int32: speed does not depend on what they say."""
    first = min(100, d_vocab // 2)  # where special tokens usually end
    return (np.arange(n) * 7919 % (d_vocab - first) + first).astype(np.int32)


def prefill(side: Any, ids: np.ndarray) -> float:
    """One call over all ids, the last row's logits."""
    side.clear()
    began = time.perf_counter()
    side.append(ids)
    return time.perf_counter() - began


def decode(side: Any, ids: np.ndarray) -> float:
    """len(ids) - 1 single steps behind the first id."""
    side.clear()
    side.append(ids[:1])
    return decode_on(side, ids[1:])


def decode_on(side: Any, ids: np.ndarray) -> float:
    """Single steps behind what is there."""
    began = time.perf_counter()
    for i in range(len(ids)):
        side.append(ids[i : i + 1])
    return time.perf_counter() - began


def step_times(side: Any, ids: np.ndarray) -> list[float]:
    """Seconds of each single step behind the first id."""
    fill(side, ids[:1])
    return [decode_on(side, ids[i : i + 1]) for i in range(1, len(ids))]


def fill(side: Any, ids: np.ndarray) -> None:
    """A context to decode in, not timed."""
    side.clear()
    side.append(ids)


def decode_often(side: Any, ids: np.ndarray, times: int) -> float:
    """The same decode some times over, for models so small that one is over before a core has woken up."""
    return sum(decode(side, ids) for _ in range(times))


def batch_steps(side: Any, rows: int, prompt: np.ndarray, steps: int) -> float:
    """Seconds of one step of `rows` sequences, the mean of `steps`."""
    side.begin_batch(rows, prompt)
    began = time.perf_counter()
    for i in range(steps):
        side.step_batch((prompt[:rows] + i) % side.d_vocab)
    return (time.perf_counter() - began) / steps


def last_logits(side: Any, ids: np.ndarray) -> np.ndarray:
    """float32 [d_vocab]"""
    side.clear()
    return np.array(side.append(ids), np.float32)


def greedy(side: Any, ids: np.ndarray, n: int) -> list[int]:
    """The arg-max continuation."""
    side.clear()
    row, out = side.append(ids), []
    for _ in range(n):
        out.append(int(np.argmax(row)))
        row = side.append(np.array(out[-1:], np.int32))
    return out


def needed(side: Any, function: Any, *args: Any) -> tuple[float, float]:
    """FLOP and bytes of such work, as cutaway's side counts them."""
    with side.counting() as rows:
        function(side, *args)
    return sum(row[3] for row in rows), sum(row[4] for row in rows)


def linear_rate(side: Any, ids: np.ndarray) -> float:
    """FLOP/s of a prefill's matrices: the phases that multiply by weights, with the norms, the quantisation and the
    activation functions that lie in them; attention is apart."""
    with side.counting() as rows:
        prefill(side, ids)
    linear = [row for row in rows if row[3] and row[0] != "attention"]
    return float(sum(row[3] for row in linear) / sum(row[2] for row in linear))


def ceilings(side: Any) -> tuple[float, float]:
    """FLOP/s and bytes/s that this machine reaches at best, measured now for cutaway's side."""
    return side.ceilings()


def facts(side: Any) -> dict[str, Any]:
    """What the side says about itself."""
    return side.facts()


def traced(side: Any, ids: np.ndarray, names: list[str]) -> float:
    """One call over all ids that keeps the named activations."""
    side.clear()
    began = time.perf_counter()
    side.append_traced(ids, names)
    return time.perf_counter() - began


def trace_bytes(side: Any, ids: np.ndarray, names: list[str]) -> int:
    """What that call keeps."""
    side.clear()
    return side.trace_bytes(ids, names)


def decode_pairs(side: Any, ids: np.ndarray, names: list[str]) -> np.ndarray:
    """Single steps behind the first id by pairs, one traced and one not, each first by turns: seconds, float64
    [pairs, 2], untraced and traced."""
    fill(side, ids[:1])
    out = np.empty(((len(ids) - 1) // 2, 2))
    for i in range(len(out)):
        for place in (0, 1):
            step, job = ids[1 + 2 * i + place :][:1], (i + place) % 2
            began = time.perf_counter()
            side.append_traced(step, names) if job else side.append(step)
            out[i, job] = time.perf_counter() - began
    return out
