"""What may have been meant: names that a user wrote, beside those that there are."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: object, known: Iterable[str], n: int = 2, cutoff: float = 0.5) -> list[str]:
    """The known names that read most like this one, best first; upper and lower case are alike."""
    import difflib

    names = {one.lower(): one for one in reversed([*known])}
    return [names[one] for one in difflib.get_close_matches(str(name).lower(), names, n, cutoff)]


def did_you_mean(near: Iterable[str], otherwise: str = "") -> str:
    """The question that ends a message, or another end where nothing is near; either begins with a space."""
    listed = [*near]
    said = f"Did you mean {' or '.join(listed)}?" if listed else otherwise
    return f" {said}" if said else ""
