"""What every test of a broken file asserts: a FormatError that names the file and the fault, soon."""

from __future__ import annotations

import time
from pathlib import Path

import cutaway as ca
import pytest


def refused(path: Path, message: str) -> None:
    """inspect_file raises FormatError; its text begins with the path and has `message` (a regular expression)."""
    with pytest.raises(ca.FormatError, match=message) as error:
        ca.inspect_file(path)
    assert str(error.value).startswith(f"{path}: ")


def refused_within(seconds: float, path: Path, message: str) -> None:
    """The same in time; the best of three counts, since the machine may be busy with something else."""
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        refused(path, message)
        taken.append(time.perf_counter() - start)
        if taken[-1] < seconds:
            return
    raise AssertionError(f"refused after {taken} s, expected {seconds} s")
