"""The numbers of a comparison, each a plain function of ids, log-probabilities or logits."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..probabilities import entropy, softmax_and_entropy

GRAM = 4  # tokens


def mean(values: Sequence[float]) -> float:
    """The mean, summed exactly; NaN of nothing."""
    return math.fsum(values) / len(values) if values else math.nan


def repeats(ids: Sequence[int]) -> float:
    """Share of the 4-grams of token ids that stand earlier in the same text. 0 where there are fewer than two."""
    grams = [tuple(ids[i : i + GRAM]) for i in range(len(ids) - GRAM + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def echoes_prompt(ids: Sequence[int], prompt_ids: Sequence[int]) -> float:
    """Length of the longest run of token ids that the answer shares with the prompt, over the prompt's length.

    prompt_ids: the tokens of the user's prompt alone, without those of the template. 1: the whole prompt is repeated.
    """
    if not len(ids) or not len(prompt_ids):
        return 0.0
    prompt, longest = np.asarray(prompt_ids), 0
    run = np.zeros(len(prompt) + 1, np.int64)  # run[j + 1]: the length of the common run that ends at prompt[j]
    for id in ids:
        run[1:] = np.where(prompt == id, run[:-1] + 1, 0)
        longest = max(longest, int(run.max()))
    return longest / len(prompt)


def entropy_and_top(logits: np.ndarray) -> tuple[float, int]:
    """Entropy in nats of softmax(logits), in float64, and the id of the largest logit (ties: the lowest). [d_vocab]"""
    return softmax_and_entropy(logits)[1], int(logits.argmax())


def kl_and_entropies(logp_a: np.ndarray, logp_b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """KL(P_a || P_b), H(P_a), H(P_b) in nats over the full vocabulary: float64 [n] of log-probabilities [n, d_vocab].

    A token that a gives probability 0 adds nothing; one that only b gives 0 makes the divergence infinite.
    """
    p = np.exp(logp_a)
    with np.errstate(invalid="ignore"):
        terms = np.where(p > 0, p * (logp_a - logp_b), 0.0)
    # Of nearly equal distributions the rounded sum may fall below 0, which no divergence does.
    return np.maximum(terms.sum(axis=-1), 0.0), entropy(logp_a), entropy(logp_b)
