"""Checks of 02_sampling: softmax with a temperature, top-p by hand, low but never zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..reference import sampler as ref
from .verdict import Verdict, judge_number, result_of, right, wrong

_ROW = np.asarray([2.0, -1.0, 0.5, 3.0, 0.0])


def softmax(answer: Any) -> Verdict:
    """A function (logits, temperature) -> probabilities."""
    for t in (1.0, 0.5, 2.0):
        truth = ref.softmax(_ROW / t)
        got = _array(answer, (_ROW.copy(), t), truth.shape)
        if isinstance(got, Verdict):
            return got
        if np.allclose(got, truth, rtol=1e-6):
            continue
        if np.allclose(got, ref.softmax(_ROW * t), rtol=1e-6):
            return wrong("a low temperature made the choice wilder here. Is it multiplied where it should divide?")
        if np.allclose(got, ref.softmax(_ROW), rtol=1e-6) or np.allclose(got, ref.softmax(_ROW) / t, rtol=1e-6):
            return wrong("the temperature has to act on the logits, before the exponential.")
        if np.allclose(got / got.sum(), truth, rtol=1e-6):
            return wrong(f"the proportions are right, but the probabilities sum to {got.sum():.4g}.")
        return wrong(f"at temperature {t:g} these are not the probabilities: {np.round(got, 3)}.")
    with np.errstate(all="ignore"):
        large = _array(answer, (_ROW + 2000, 1.0), _ROW.shape)
    if isinstance(large, Verdict):
        return large
    if not np.allclose(large, ref.softmax(_ROW), rtol=1e-6):
        return wrong("right for small logits. With 2,000 added to each, exp overflows. What may be subtracted first?")
    return right("adding the same number to every logit changes nothing, so subtracting the largest is free.")


def nucleus(answer: Any) -> Verdict:
    """A function (probabilities, p) -> the ids that top-p keeps, in any order."""
    cases = [(np.asarray([0.05, 0.5, 0.1, 0.3, 0.05]), p) for p in (0.7, 0.8, 0.45, 0.95, 1.0)]
    for probs, p in cases:
        got = result_of(answer, probs.copy(), p, where=f"with p = {p} ")
        if isinstance(got, Verdict):
            return got
        try:
            listed = np.asarray(list(got)).ravel()
            if listed.dtype == bool:
                return wrong("this is a mask, and ids were asked for. np.flatnonzero turns one into the other.")
            kept = sorted(int(id) for id in listed)
        except (TypeError, ValueError):
            return wrong(f"with p = {p} the function returned {got!r}, and ids were asked for, in a list or an array.")
        truth = _nucleus(probs, p)
        if kept == truth:
            continue
        if not kept:
            return wrong(f"with p = {p} nothing is left to draw from. The most probable token always stays.")
        if not set(kept) <= set(range(len(probs))):
            return wrong(f"with p = {p} ids came back that do not exist: {kept}.")
        reached = probs[kept].sum()
        if reached < p - 1e-12:
            return wrong(f"with p = {p} the tokens kept sum to {reached:.2f}. Does the one that crosses p belong?")
        if probs.argmax() not in kept:
            return wrong(f"with p = {p} the most probable token was dropped. In which order are they summed?")
        return wrong(f"with p = {p} fewer tokens are enough; {len(kept)} were kept.")
    return right("the smallest set of most probable tokens that reaches p; the one that crosses it is in.")


def at_least_once(answer: Any, p: float, n: int) -> Verdict:
    """The chance that a token of probability p is drawn at least once in n draws."""
    truth = 1 - (1 - p) ** n
    return judge_number(
        answer,
        "a probability",
        truth,
        [
            (p * n, "that is how often it comes on average; it may come twice, and then counts twice."),
            ((1 - p) ** n, "that is the chance that it never comes."),
            (p**n, "that is the chance that it comes every time."),
            (p, "that is a single draw."),
            (100 * truth, "that is in per cent; a probability lies between 0 and 1."),
        ],
        "low is not zero: over a long text, rare tokens do come, unless a stage removes them.",
        tolerance=1e-3,
    )


def _nucleus(probs: np.ndarray, p: float) -> list[int]:
    order = np.argsort(-probs, kind="stable")
    reached = np.cumsum(probs[order])
    return sorted(order[: int(np.searchsorted(reached, p - 1e-12)) + 1].tolist())


def _array(function: Any, arguments: tuple[Any, ...], shape: tuple[int, ...]) -> np.ndarray | Verdict:
    """What a function gives, as a float array of a shape, or the verdict that it does not."""
    result = result_of(function, *arguments)
    if isinstance(result, Verdict):
        return result
    try:
        got = np.asarray(result, np.float64)
    except (TypeError, ValueError):
        return wrong(f"the function returned {type(result).__name__}, and an array of numbers was asked for.")
    return got if got.shape == shape else wrong(f"it returned shape {list(got.shape)}, expected {list(shape)}.")
