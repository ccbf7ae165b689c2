"""Whole numbers as users pass them."""

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
