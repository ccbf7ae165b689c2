"""Whole numbers as users pass them, and sizes as users read them."""

import operator
from typing import Any

from .errors import ArgumentError


def whole(name: str, value: Any, least: int = -(2**31), most: int = 2**31 - 1) -> int:
    """value as an int in [least, most]; ArgumentError for anything else, bool included."""
    try:
        number = operator.index(value)
    except TypeError:
        number = most + 1
    if not least <= number <= most or isinstance(value, bool):
        bounds = f", {least} or greater" if least > -(2**31) else ""
        raise ArgumentError(f"{name} must be a whole number{bounds}, got {value!r}.")
    return number


def sized(n: int) -> str:
    """Bytes for people: the one place where they get a unit. Powers of two, as the free memory of a machine is told."""
    if n < 1024:
        return f"{n} byte" + ("" if n == 1 else "s")
    value, unit = n / 1024, "KiB"
    for larger in ("MiB", "GiB", "TiB"):
        if value < 1023.5:
            break
        value, unit = value / 1024, larger
    return f"{value:,.{1 if value < 99.95 else 0}f} {unit}"
