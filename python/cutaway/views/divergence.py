"""Two models on the same tokens, as a picture: each token coloured by how far their expectations lie apart."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .chips import Chip, scale
from .page import View, escape, visible
from .side_by_side import COMPARED, HINT, TOKENS, tip
from .table import html_table, plain_text

if TYPE_CHECKING:
    from ..comparison.tokens import TokenRow, TokenTable

_ROWS = 100  # of the table
_HINT = f"{HINT}what both models expected in its place."


def divergence(table: TokenTable) -> View:
    """The texts of a table of tokens by prompt, then the table. The colour is the square root of KL over its maximum:
    most tokens are close, and the eye should see which are less so."""
    most = max((row.kl for row in table if math.isfinite(row.kl)), default=0.0) or 1.0
    shown, rest = list(table[:TOKENS]), len(table) - TOKENS
    prompts = [
        f"<section class='cmp tips chips' style=--n:1 data-hint='{_HINT}'><h5>prompt {prompt}</h5>"
        f"{_texts(list(group), most)}</section>"
        for prompt, group in itertools.groupby(shown, key=lambda row: row.prompt)
    ]
    legend = scale("KL(a || b), nats", [f"{most * (i / 4) ** 2:.2f}" for i in range(5)])
    cells = html_table(table.columns, [table.cells(row) for row in table[:_ROWS]])
    more = f"<p class=dim>… {len(table) - _ROWS:,} more rows; .to_pandas() has all</p>" if len(table) > _ROWS else ""
    body = [
        f"<h4>{escape(table.title)}</h4><p>{escape(table.note)}</p>{legend}{''.join(prompts)}",
        f"<p class=dim>… {rest:,} more tokens</p>" if rest > 0 else "",
        *(f"<p class=wrong>left out: {escape(one)}</p>" for one in table.skipped),
        f"<details><summary>the table</summary>{cells}{more}</details>",
    ]
    return View(table.title, "".join(body), lambda: plain_text(repr(table)), style=COMPARED, records=table.records)


def _texts(rows: Sequence[TokenRow], most: float) -> str:
    lines = []
    for (answer_of, sample), group in itertools.groupby(rows, key=lambda row: (row.answer_of, row.sample)):
        name = {"": "the prompt", "text": "the given text"}.get(answer_of, f"answer of {answer_of}, sample {sample}")
        chips = "".join(_chip(row, most).html() for row in group)
        lines.append(f"<small>{escape(name)}</small><div class=said>{chips}</div>")
    return "".join(lines)


def _chip(row: TokenRow, most: float) -> Chip:
    layer = "" if row.first_layer is None else f", apart from layer {row.first_layer}"
    expected = f"a expected '{visible(row.top1_a)}', b '{visible(row.top1_b)}'"
    said = f"KL {row.kl:.3f}, entropy {row.entropy_a:.2f} → {row.entropy_b:.2f}{layer}"
    return Chip(row.token, tip(row.token, expected, said), math.sqrt(min(row.kl / most, 1.0)))
