"""The picture of `ca.compare_formats`: each text by its tokens, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .chips import STYLE, Chip, TokenNames, flow, flow_text
from .page import View, counted, escape
from .table import html_table, text_table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..formats import FormatComparison, FormatRow

_SHOWN = 200  # tokens of each text
_SHARES = (0.15, 0.5)  # neighbours differ
_STYLE = """
.ca .beside{display:grid;grid-template-columns:repeat(auto-fit,minmax(18em,1fr));gap:.4em 1.2em}
.ca .beside section{min-width:0}.ca .beside h5{margin:.3em 0;font-size:1em}
"""
_HINT = "Point at a token, or press Tab: its id."


def formats(table: FormatComparison, tokenizer: Any) -> View:
    """The counts as a table, then a column per format."""
    names = TokenNames(tokenizer)
    chips = {row.format: _chips(row, names) for row in table}
    columns = "".join(
        f"<section><h5>{escape(row.format)}: {counted(row.tokens, 'token')}</h5>"
        f"{flow([chip.html() for chip in chips[row.format]], _HINT, 2)}{_rest(row)}</section>"
        for row in table
    )
    counts = html_table(table.columns, [table.cells(row) for row in table])
    body = f"<h4>{escape(table.title)}</h4>{counts}<div class=beside>{columns}</div>"
    return View(table.title, body, lambda: _terminal(table, chips), style=STYLE + _STYLE, records=table.records)


def _chips(row: FormatRow, names: TokenNames) -> list[Chip]:
    return [
        names.chip(id, f"<div>{names.heading(id)}position {i}</div>", _SHARES[i % 2])
        for i, id in enumerate(row.ids[:_SHOWN])
    ]


def _rest(row: FormatRow) -> str:
    more = row.tokens - _SHOWN
    return f"<p class=dim>… {counted(more, 'more token')}</p>" if more > 0 else ""


def _terminal(table: FormatComparison, chips: dict[str, list[Chip]]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    parts = [Text(text_table(table.columns, [table.cells(row) for row in table]))]
    for row in table:
        parts += [Text(f"\n{row.format}", "bold"), flow_text(chips[row.format])]
    return Group(*parts)
