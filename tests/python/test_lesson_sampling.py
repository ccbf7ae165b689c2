"""Every check of 02_sampling: the right answer, at least two wrong ones each with its own hint, and no answer yet."""

import numpy as np
import pytest
from cutaway.lessons import sampling
from lesson_checks import judged


def stable_softmax(logits, temperature):
    w = np.exp((logits - logits.max()) / temperature)
    return w / w.sum()


@pytest.mark.parametrize(
    ("answer", "right", "words"),
    [
        (stable_softmax, True, "is free"),
        (lambda x, t: np.exp(x / t) / np.exp(x / t).sum(), False, "overflows"),
        (lambda x, t: stable_softmax(x, 1 / t), False, "wilder"),
        (lambda x, t: stable_softmax(x, 1), False, "before the exponential"),
        (lambda x, t: stable_softmax(x, 1) / t, False, "before the exponential"),
        (lambda x, t: np.exp((x - x.max()) / t), False, "sum to"),
        (lambda x, t: x, False, "not the probabilities"),
        (lambda x, t: x[:2], False, "shape [2], expected [5]"),
        (lambda x: x, False, "TypeError"),
        (lambda x, t: None, False, "returned nothing. Does it end with return?"),
        (lambda x, t: "half", False, "returned str"),
        (3, False, "without calling"),
        (..., None, "replace"),
    ],
)
def test_softmax(answer, right, words):
    judged(sampling.softmax(answer), right, words)


def top_p(probs, p):
    order = np.argsort(-probs, kind="stable")
    return order[: np.searchsorted(np.cumsum(probs[order]), p - 1e-9) + 1]


@pytest.mark.parametrize(
    ("answer", "right", "words"),
    [
        (top_p, True, "crosses it is in"),
        (lambda q, p: set(top_p(q, p).tolist()), True, "smallest set"),
        (lambda q, p: np.argsort(-q)[np.cumsum(np.sort(q)[::-1]) <= p], False, "crosses p belong"),
        (lambda q, p: np.argsort(q)[: np.searchsorted(np.cumsum(np.sort(q)), p - 1e-9) + 1], False, "fewer tokens"),
        (lambda q, p: range(len(q)), False, "fewer tokens"),
        (lambda q, p: [], False, "always stays"),
        (lambda q, p: q.argmax(), False, "ids were asked for"),
        (lambda q: q, False, "with p = 0.7 the function raised TypeError"),
        (lambda q, p: None, False, "with p = 0.7 the function returned nothing"),
        (lambda q, p: [7], False, "do not exist"),
        (lambda q, p: q > 0.05, False, "this is a mask"),
        (..., None, "replace"),
    ],
)
def test_nucleus(answer, right, words):
    judged(sampling.nucleus(answer), right, words)


def test_at_least_once():
    for answer, right, words in [
        (1 - 0.9999**5000, True, "low is not zero"),
        (0.3935, True, "low is not zero"),
        (0.5, False, "on average"),
        (0.9999**5000, False, "never comes"),
        (0.0001, False, "single draw"),
        (0.9, False, "too large"),
        (39.35, False, "in per cent"),
        ("0.39", False, "is a number"),
        (..., None, "replace"),
    ]:
        judged(sampling.at_least_once(answer, p=1 / 10_000, n=5000), right, words)
