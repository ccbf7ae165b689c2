"""Tables: a sequence of records that prints well in a terminal, renders in a notebook and becomes a DataFrame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

from ..arguments import checked_arguments
from ..errors import Error
from .page import View, escape

Row = TypeVar("Row")
_SHOWN = 400  # rows in HTML and text; the sequence and to_pandas have them all


@checked_arguments
class Table(Sequence[Row], Generic[Row]):
    """A fixed sequence of rows. A kind of table says what its `columns` are and how a row's cells read."""

    title = "table"
    columns: tuple[str, ...] = ()
    note = ""
    """One line that says how to read the columns."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = tuple(rows)

    def cells(self, row: Row) -> tuple[str, ...]:
        """A row as text, one cell per column."""
        raise NotImplementedError

    def records(self) -> list[dict[str, Any]]:
        """Plain values, one dict per row: what `to_pandas` holds."""
        raise NotImplementedError

    def to_pandas(self) -> Any:
        """The records as a pandas DataFrame."""
        return frame(self.records())

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Table[Row]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return type(self)(self._rows[index]) if isinstance(index, slice) else self._rows[index]

    def __repr__(self) -> str:
        if not self._rows:
            return f"{self.title}: no rows"
        more = len(self) - _SHOWN
        table = text_table(self.columns, [self.cells(row) for row in self._rows[:_SHOWN]])
        return f"{table}\n... {more} more rows" if more > 0 else table

    def _repr_html_(self) -> str:
        more = len(self) - _SHOWN
        rest = f"<p class=dim>… {more} more rows</p>" if more > 0 else ""
        table = html_table(self.columns, [self.cells(row) for row in self._rows[:_SHOWN]])
        note = f"<p class=dim>{escape(self.note)}</p>" if self.note else ""
        return View(self.title, f"<h4>{escape(self.title)}</h4>{table}{rest}{note}", str)._repr_html_()


def frame(records: list[dict[str, Any]]) -> Any:
    """A DataFrame of records; an Error that says what to install where pandas is absent."""
    try:
        import pandas
    except ImportError:
        raise Error("to_pandas needs pandas, which is not installed here: pip install pandas") from None
    return pandas.DataFrame(records)


def text_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns; those that hold numbers alone stand at the right."""
    lines, right = [tuple(columns), *map(tuple, rows)], _numeric(columns, rows)
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]

    def pad(cell: str, i: int) -> str:
        return cell.rjust(widths[i]) if right[i] else cell.ljust(widths[i])

    return "\n".join("  ".join(pad(cell, i) for i, cell in enumerate(line)).rstrip() for line in lines)


def html_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same in HTML, cells escaped, to stand inside a View."""
    right = [" class=n" if numeric else "" for numeric in _numeric(columns, rows)]
    head = "".join(f"<th{right[i]}>{escape(cell)}</th>" for i, cell in enumerate(columns))
    body = "".join(
        "<tr>" + "".join(f"<td{right[i]}>{escape(cell)}</td>" for i, cell in enumerate(row)) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _numeric(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[bool]:
    return [bool(rows) and all(_is_number(row[i]) for row in rows) for i in range(len(columns))]


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", ""))
    except ValueError:
        return not cell
    return True
