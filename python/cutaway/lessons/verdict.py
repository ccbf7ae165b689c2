"""What a check of an exercise says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from ..views.page import escape


@dataclass(frozen=True, repr=False)
class Verdict:
    """`right` is None where there is no answer yet; `says` is one or two sentences for the person who answered."""

    right: bool | None
    says: str

    def __repr__(self) -> str:
        return f"{ {True: 'Right', False: 'Not yet', None: 'No answer yet'}[self.right] }: {self.says}"

    def _repr_html_(self) -> str:
        return f"<p><b>{'✔' if self.right else '○'}</b> {escape(self)}</p>"


def right(says: str) -> Verdict:
    return Verdict(True, says)


def wrong(says: str) -> Verdict:
    return Verdict(False, says)


def unanswered(answer: Any) -> Verdict | None:
    """The verdict on `...`, which stands where an answer is to be written; None for anything else."""
    return Verdict(None, "replace the ... and run the cell again.") if answer is ... else None


def result_of(function: Any, *arguments: Any, where: str = "") -> Any:
    """What a function of the person who answers gives; a Verdict where there is no function, or it raises, or returns
    nothing. where: the case, as "for [1, 2] ".
    """
    if (verdict := unanswered(function)) is not None:
        return verdict
    if not callable(function):
        return wrong(f"this is {type(function).__name__}; pass the function itself, without calling it.")
    try:
        got = function(*arguments)
    except Exception as error:
        return wrong(f"{where}the function raised {type(error).__name__}: {error}")
    return wrong(f"{where}the function returned nothing. Does it end with return?") if got is None else got


def number(answer: Any, what: str) -> float | Verdict:
    """The answer as a number, or the verdict that it is none."""
    if isinstance(answer, np.ndarray) and answer.size == 1:
        answer = answer.item()
    if isinstance(answer, (bool, np.bool_)) or not isinstance(answer, (Real, np.number)):
        return wrong(f"{what} is a number; this is {type(answer).__name__}.")
    return float(answer)


def whole_numbers(answer: Any, what: str) -> list[int] | Verdict:
    """The answer as a list of whole numbers, or the verdict that it is none."""
    if (verdict := unanswered(answer)) is not None:
        return verdict
    if not isinstance(answer, (list, tuple, range, np.ndarray)):
        return wrong(f"{what} are a list of whole numbers; this is {type(answer).__name__}.")
    listed = answer.tolist() if isinstance(answer, np.ndarray) else list(answer)
    if any(isinstance(one, bool) or not isinstance(one, (int, np.integer)) for one in listed):
        return wrong(f"{what} are whole numbers in one row; this is {answer!r}.")
    return [int(one) for one in listed]


def judge_number(
    answer: Any, what: str, truth: float, mistakes: Sequence[tuple[float, str]], praise: str, tolerance: float = 1e-6
) -> Verdict:
    """A number against the truth. mistakes: numbers that a known slip gives, and what to say of the slip.

    tolerance: relative to the truth.
    """
    if (verdict := unanswered(answer)) is not None:
        return verdict
    got = number(answer, what)
    if isinstance(got, Verdict):
        return got
    if abs(got - truth) <= tolerance * abs(truth):
        return right(praise)
    for slip, says in mistakes:
        if abs(got - slip) <= tolerance * abs(slip):
            return wrong(says)
    return wrong(f"{got:g} is too {'large' if got > truth else 'small'}.")
