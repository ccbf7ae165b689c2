"""The sampler, written out: NumPy twins of the stages and of the draw, equal to the engine to the bit.

Candidates are two arrays, `ids` (int, ascending) and `logits` (float64), one entry per token that can still be drawn.
A stage takes both, plus its setting, and returns both.
"""

from collections.abc import Callable, Sequence

import numpy as np

from .exact_math import exp, lane_sum, log

Pair = tuple[np.ndarray, np.ndarray]


def weights(logits: np.ndarray) -> np.ndarray:
    """Probabilities relative to the largest one."""
    return exp(logits - logits.max())


def softmax(logits: np.ndarray) -> np.ndarray:
    w = weights(logits)
    return w / lane_sum(w)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return logits - logits.max() - log(lane_sum(weights(logits)))


def entropy(logits: np.ndarray) -> float:
    """In nats."""
    w = weights(logits)
    total = lane_sum(w)
    shifted = np.where(w > 0, logits - logits.max(), 0.0)
    return float(log(total) - lane_sum(w / total * shifted))


def repetition_penalty(ids: np.ndarray, logits: np.ndarray, p: float, seen: np.ndarray) -> Pair:
    """Keskar et al. 2019: ids seen so far lose weight, once each."""
    penalised = np.where(logits > 0, logits / p, logits * p)
    return ids, np.where(np.isin(ids, seen), penalised, logits)


def presence_penalty(ids: np.ndarray, logits: np.ndarray, a: float, seen: np.ndarray) -> Pair:
    return ids, np.where(np.isin(ids, seen), logits - a, logits)


def frequency_penalty(ids: np.ndarray, logits: np.ndarray, f: float, seen: np.ndarray) -> Pair:
    counts = np.bincount(seen.astype(int), minlength=int(ids[-1]) + 1)[ids]
    return ids, np.where(counts > 0, logits - counts * f, logits)


def temperature(ids: np.ndarray, logits: np.ndarray, t: float, seen: np.ndarray) -> Pair:
    if t == 0:  # greedy: argmax takes the first, so the lowest id, of equal logits
        best = int(np.argmax(logits))
        return ids[best : best + 1], logits[best : best + 1]
    return ids, logits / t


def top_k(ids: np.ndarray, logits: np.ndarray, k: float, seen: np.ndarray) -> Pair:
    if k == 0:
        return ids, logits
    kept = np.sort(np.argsort(-logits, kind="stable")[: int(k)])  # stable: the lower id of equal logits
    return ids[kept], logits[kept]


def top_p(ids: np.ndarray, logits: np.ndarray, p: float, seen: np.ndarray) -> Pair:
    """Holtzman et al. 2020: the smallest set of most probable tokens that holds p of the probability."""
    if p == 1:
        return ids, logits
    w = weights(logits)
    order = np.argsort(-w, kind="stable")
    reached = np.cumsum((w / lane_sum(w))[order]) < p
    kept = np.sort(order[: 1 + int(reached.sum())])  # those below p, and the one that reaches it
    return ids[kept], logits[kept]


def min_p(ids: np.ndarray, logits: np.ndarray, m: float, seen: np.ndarray) -> Pair:
    """Nguyen et al. 2024: at least m times as probable as the most probable token."""
    kept = weights(logits) >= m
    return ids[kept], logits[kept]


STAGES: dict[str, Callable[[np.ndarray, np.ndarray, float, np.ndarray], Pair]] = {
    "repetition_penalty": repetition_penalty,
    "presence_penalty": presence_penalty,
    "frequency_penalty": frequency_penalty,
    "temperature": temperature,
    "top_k": top_k,
    "top_p": top_p,
    "min_p": min_p,
}


def run(logits: np.ndarray, chain: Sequence[tuple[str, float]], seen: Sequence[int] = ()) -> Pair:
    """The candidates left of logits [d_vocab] after the chain. -inf marks a token that may not be drawn."""
    ids = np.flatnonzero(logits > -np.inf)
    pair = ids, logits[ids].astype(np.float64)
    for name, setting in chain:
        pair = STAGES[name](*pair, setting, np.asarray(seen, np.int64))
    return pair


def probs(logits: np.ndarray, chain: Sequence[tuple[str, float]], seen: Sequence[int] = ()) -> np.ndarray:
    """float64 [d_vocab], 0 where removed."""
    ids, kept = run(logits, chain, seen)
    out = np.zeros(len(logits))
    out[ids] = softmax(kept)
    return out


def philox4x32(counter: Sequence[int], key: Sequence[int]) -> list[int]:
    """Salmon et al. 2011: four 32-bit words from a 128-bit counter and a 64-bit key, ten rounds."""
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def uniform(seed: int, step: int) -> float:
    """u in [0, 1): 53 bits of Philox(key = seed, counter = step)."""
    words = philox4x32([step & 0xFFFFFFFF, step >> 32, 0, 0], [seed & 0xFFFFFFFF, seed >> 32])
    return ((words[0] << 32 | words[1]) >> 11) / 2**53


def draw(probabilities: np.ndarray, u: float) -> int:
    """The first id, ascending, whose cumulative probability exceeds u; in a gap left by rounding, the last one."""
    first = int(np.searchsorted(np.cumsum(probabilities), u, side="right"))
    return min(first, int(np.flatnonzero(probabilities)[-1]))
