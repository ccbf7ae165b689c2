"""The logit lens as a table: a row per layer, a column per position, the most probable next token in each cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ArgumentError
from ..lens import Lens
from .chips import STYLE as CHIPS
from .chips import TokenNames, marked, scale, shorten, window
from .labels import label
from .page import View, escape, percent, share

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLE = """
.ca .lens table{margin:0;width:max-content;border-collapse:separate;border-spacing:1px}
.ca .lens th,.ca .lens td{padding:0 .35em;font:12px/20px ui-monospace,monospace;white-space:pre}
.ca .lens th{font-weight:400}.ca .lens tr>th:first-child{position:sticky;left:0;text-align:right;background:var(--bg)}
.ca .lens thead th{color:var(--fg)}.ca .lens tfoot th{color:var(--mark);font-weight:700}
.ca .lens th i{color:var(--dim);font-style:normal}
.ca .lens td{min-width:6.5em}.ca .lens td small{float:right;font:inherit;color:inherit;padding-left:.6em}
.ca .lens .hit{font-weight:700;box-shadow:inset 0 -2px var(--mark)}
.ca .lens.tips{padding-bottom:82px}.ca .lens.tips::after,.ca .lens .tip{left:0;right:0;bottom:0;height:74px}
@container (max-width:700px){.ca .lens.tips{padding-bottom:139px}.ca .lens.tips::after,.ca .lens .tip{height:131px}}
.ca .lens .tip b{color:var(--mark)}
"""
# Arrow keys walk from cell to cell; Tab reaches each of them as well.
_SCRIPT = """
document.querySelectorAll('.lens:not([data-on])').forEach(lens => {
  lens.dataset.on = 1;
  lens.addEventListener('keydown', e => {
    const step = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[e.key];
    const cell = e.target.closest('td');
    if (!step || !cell) return;
    const row = cell.closest('tbody').rows[cell.parentElement.sectionRowIndex + step[0]];
    const next = row && row.cells[cell.cellIndex + step[1]];
    if (next && next.matches('td')) { e.preventDefault(); next.focus(); }
  });
});
"""
_BUDGET = 165_000  # characters of cells
_TEXT_POSITIONS = 8  # positions that fit beside each other in a terminal
_LONGEST = 9  # characters of a token in its cell
_TARGETS = {
    "final": "the model's own answer",
    "next": "the token that follows in the text",
    "given": "the token followed",
}


def lens(result: Lens, start: int = 0, count: int | None = None) -> View:
    """The table of `model.lens(...)`: most probable next token and its probability, after each layer at each position.

    Cells that already hold the target are marked. Hover, or Tab to, a cell for its best tokens, entropy, and the
    target's probability and rank; arrow keys walk from cell to cell. start, count: which positions to show, counted in
    `result.positions`; count=None: as many as fit into a page below 200 KB.
    """
    if not isinstance(result, Lens):
        raise ArgumentError(f"views.lens shows a Lens, got {type(result).__name__}; pass model.lens(text).")
    names, n = TokenNames(result.tokenizer), len(result.positions)
    shown, _ = window(n, start, n if count is None else count, "positions")
    columns: list[list[str]] = []
    size = 0
    for k in shown:
        column = _column(result, names, k)
        size += sum(map(len, column))
        if columns and size > _BUDGET:
            break
        columns.append(column)
    shown, said = window(n, start, len(columns), "positions")
    layers = [escape(layer) for layer in result.layers]
    lines = zip(*columns, strict=True)
    body = "".join(f"<tr><th>{layer}</th>{''.join(cells)}</tr>" for layer, cells in zip(layers, lines, strict=True))
    head = "".join(f"<th><i>{result.positions[k]}</i> {escape(_input(result, names, k))}</th>" for k in shown)
    foot = "".join(f"<th>{escape(_short(names, int(result.target_ids[k])))}</th>" for k in shown)
    target = _TARGETS[result.target]
    table = (
        f"<table><thead><tr><th>layer</th>{head}</tr></thead><tbody>{body}</tbody>"
        f"<tfoot><tr><th>target</th>{foot}</tr></tfoot></table>"
    )
    hint = escape("Point at a cell, or press Tab: its best tokens, and where the target stands.")
    html = (
        f"<h4>Logit lens</h4>{scale('probability of the best token', ['0 %', '25 %', '50 %', '75 %', '100 %'])}"
        f'<div class="lens tips" data-hint="{hint}"><div class=wide>{table}</div></div>'
        f"<p class=dim>{said}. Each cell: what the model would say next if it stopped after that layer "
        f"(final norm and W_U on the residual stream). Underlined: the target, {target}.</p>"
    )
    text = shown[:_TEXT_POSITIONS]
    return View(
        "Logit lens",
        html,
        lambda: _terminal(result, names, text),
        style=CHIPS + _STYLE,
        script=_SCRIPT,
        records=result.records,
    )


def _short(names: TokenNames, id: int) -> str:
    if id < 0:
        return ""
    text = names.text(id)
    return f"id {id}" if not text else shorten(label(text), _LONGEST)


def _quoted(names: TokenNames, id: int) -> str:
    return f"<bdi>{escape(shorten(marked(names.quoted(id)), 20))}</bdi>"


def _input(result: Lens, names: TokenNames, k: int) -> str:
    return _short(names, int(result.prompt_ids[result.positions[k]]))


def _column(result: Lens, names: TokenNames, k: int) -> list[str]:
    """The cells of one position, a layer each."""
    target, out = int(result.target_ids[k]), []
    for i, layer in enumerate(result.layers):
        id, p = int(result.ids[i, k]), float(result.probs[i, k])
        best = []
        for one, q in zip(result.top_ids[i, k].tolist(), result.top_probs[i, k].tolist(), strict=True):
            said = f"{_quoted(names, one)} {percent(q)}"
            best.append(f"<b>{said}</b>" if one == target else said)
        where = f"layer {layer}" if layer != "embed" else "embed"
        tip = f"{where}, position {result.positions[k]}: entropy {result.entropy[i, k]:.2f} nats<br>{', '.join(best)}"
        if target >= 0:
            rank, p_target = int(result.target_ranks[i, k]), float(result.target_probs[i, k])
            tip += f"<br>target {_quoted(names, target)} {percent(p_target)}, rank {rank:,}"
        hit = ' class="heat hit"' if id == target else " class=heat"
        out.append(
            f"<td{hit} tabindex=0 style={share(p)}>{escape(_short(names, id))} <small>{100 * p:.0f}</small>"
            f"<span class=tip hidden=hidden>{tip}</span></td>"
        )
    return out


def _terminal(result: Lens, names: TokenNames, shown: range) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from ..terminal import heat

    table = Table(box=None, header_style="dim", padding=(0, 1, 0, 0))
    table.add_column("layer", no_wrap=True, min_width=5)
    for k in shown:
        table.add_column(Text(f"{result.positions[k]} {_input(result, names, k)}"), no_wrap=True)
    for i, layer in enumerate(result.layers):
        cells = []
        for k in shown:
            id, p = int(result.ids[i, k]), float(result.probs[i, k])
            mark = "*" if id == result.target_ids[k] else " "
            cells.append(Text(f"{_short(names, id):<{_LONGEST}}{mark}{100 * p:3.0f}", heat(p)))
        table.add_row(layer, *cells)
    _, said = window(len(result.positions), shown.start, len(shown), "positions")
    note = f"{said}; probabilities in %; * the target, {_TARGETS[result.target]}"
    return Group(table, Text(note, "dim"))
