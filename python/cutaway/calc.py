"""Sums that a course does by hand: `ca.calc`."""

from __future__ import annotations

import math
from typing import Any

from .arguments import checked_arguments, described
from .errors import ArgumentError

__all__ = ["representation"]

WORLD = 8e9
"""People in the world, as the published ratios have it."""


@checked_arguments
def representation(speakers: float, share: float) -> float:
    """How much larger a language is in the world than in a corpus: (speakers / 8e9) / share. 1 is its due.

    speakers: people who speak it, such as 113e6. share: its part of the corpus, in (0, 1]: 0.0061 % is 0.000061.
    ArgumentError for a number outside its range.
    """
    people, part = _number("speakers", speakers), _number("share", share)
    if not 0 <= people <= 2 * WORLD:
        raise ArgumentError(f"speakers is a number of people, 0 to {2 * WORLD:,.0f}, got {described(speakers)}.")
    if not 0 < part <= 1:
        raise ArgumentError(
            f"share is a part of the corpus, above 0 and at most 1, got {described(share)}; a percentage is divided by "
            "100."
        )
    return people / WORLD / part


def _number(name: str, value: Any) -> float:
    try:
        number = float(value) if not isinstance(value, (str, bytes, bool)) else math.nan
    except (TypeError, ValueError):
        number = math.nan
    if math.isnan(number):
        raise ArgumentError(f"{name} must be a number, got {described(value)}.")
    return number
