"""The rows of the table. A row is one module of `bench.rows` with one line, `@row(...)`, over one generator."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .run import Run

Line = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One row: `numbers` of the table in the order of the page, `quick`: part of QUICK=1, `one_thread`: part of the
    row that repeats others with one thread."""

    name: str
    title: str
    numbers: tuple[int, ...]
    lines: Callable[[Run], Iterator[Line]]
    about: str
    quick: bool = False
    one_thread: bool = False


ROWS: dict[str, Row] = {}


def row(title: str, *numbers: int, quick: bool = False, one_thread: bool = False) -> Callable[..., Any]:
    """Registers a generator of lines under its module's name; its docstring is what the page says."""

    def register(lines: Callable[[Run], Iterator[Line]]) -> Callable[[Run], Iterator[Line]]:
        name = lines.__module__.rpartition(".")[2]
        about = " ".join((lines.__doc__ or "").split())
        ROWS[name] = Row(name, title, numbers, lines, about, quick, one_thread)
        return lines

    return register


def all_rows() -> list[Row]:
    """Every row, by its number."""
    from . import rows

    for module in pkgutil.iter_modules(rows.__path__):
        importlib.import_module(f"{rows.__name__}.{module.name}")
    return sorted(ROWS.values(), key=lambda r: r.numbers)
