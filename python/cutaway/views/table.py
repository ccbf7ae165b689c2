"""Tables: a sequence of records that prints well in a terminal, renders in a notebook and becomes a DataFrame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from ..arguments import checked_arguments, item
from .page import View, escape, wide
from .shown import Shown

if TYPE_CHECKING:
    from rich.console import RenderableType

Row = TypeVar("Row")
_SHOWN = 400  # rows in HTML and text; the sequence and to_pandas have them all


@checked_arguments
class Table(Shown, Sequence[Row], Generic[Row]):
    """A fixed sequence of rows. A kind of table says what its `columns` are and how a row's cells read."""

    title = "table"
    one = "row"
    """What a row is called."""
    columns: tuple[str, ...] = ()
    note = ""
    """One line that says how to read the columns."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = tuple(rows)

    def cells(self, row: Row) -> tuple[str, ...]:
        """A row as text, one cell per column."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Table[Row]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return type(self)(self._rows[index]) if isinstance(index, slice) else item(self._rows, index, self.one)

    def __repr__(self) -> str:
        if not self._rows:
            return f"{self.title}: no rows"
        more = len(self) - _SHOWN
        table = text_table(self.columns, [self.cells(row) for row in self._rows[:_SHOWN]])
        return f"{table}\n... {more} more rows" if more > 0 else table

    def view(self) -> View:
        """The rows as HTML, as many as `print` shows."""
        more = len(self) - _SHOWN
        rest = f"<p class=dim>… {more} more rows</p>" if more > 0 else ""
        table = html_table(self.columns, [self.cells(row) for row in self._rows[:_SHOWN]])
        note = f"<p class=dim>{escape(self.note)}</p>" if self.note else ""
        body = f"<h4>{escape(self.title)}</h4>{table}{rest}{note}"
        return View(self.title, body, lambda: plain_text(Table.__repr__(self)), records=self.records)


def plain_text(text: str) -> RenderableType:
    """Text for rich as it stands, brackets included."""
    from rich.text import Text

    return Text(text)


def text_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns; those that hold numbers alone stand at the right."""
    lines, right = [tuple(columns), *map(tuple, rows)], _numeric(columns, rows)
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]

    def pad(cell: str, i: int) -> str:
        return cell.rjust(widths[i]) if right[i] else cell.ljust(widths[i])

    return "\n".join("  ".join(pad(cell, i) for i, cell in enumerate(line)).rstrip() for line in lines)


def html_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same in HTML, cells escaped, in a box of its own that scrolls, to stand inside a View."""
    right = [" class=n" if numeric else "" for numeric in _numeric(columns, rows)]
    head = "".join(f"<th{right[i]}>{escape(cell)}</th>" for i, cell in enumerate(columns))
    body = "".join(
        "<tr>" + "".join(f"<td{right[i]}>{escape(cell)}</td>" for i, cell in enumerate(row)) + "</tr>" for row in rows
    )
    return wide(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>", "table")


def _numeric(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[bool]:
    return [bool(rows) and all(_is_number(row[i]) for row in rows) for i in range(len(columns))]


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", ""))
    except ValueError:
        return not cell
    return True
