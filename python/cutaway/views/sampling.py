"""One draw as a picture: the candidates before and after every stage, then the interval into which u fell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..ledger import STAGE_COLUMNS, Explanation
from ..numbers import whole
from ..probabilities import top as best_ids
from .chips import TokenNames
from .page import View, escape, percent, visible, wide
from .table import html_table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..sampler import Sampler

_STYLE = """
.ca .stages td{padding:.05em .9em .05em 0}.ca .stages td.gone{color:var(--dim)}
.ca .stages .drawn td:first-child{font-weight:700;color:var(--mark)}
.ca .stages .cell{display:inline-block;width:5em;vertical-align:middle}
.ca svg.draw{display:block;width:100%;min-width:46em;margin:.4em 0;font:11px ui-monospace,monospace;overflow:visible}
.ca svg.draw text{fill:var(--fg)}.ca svg.draw .part{fill:var(--lo);stroke:var(--line)}
.ca svg.draw .hit{fill:var(--hi);stroke:var(--line)}.ca svg.draw .u{stroke:var(--mark);stroke-width:2}
"""
_EDGE = 8  # per cent of the strip
_LABELLED = 0.04  # intervals narrower than this share of the strip have no room for a label


def next_token(
    logits: Any, sampler: Sampler | None = None, *, tokenizer: Any = None, ids: Any = (), step: int = 0, top: int = 10
) -> View:
    """Bars of the `top` most probable next tokens, before and after each stage of a sampler, and the draw.

    logits: one row [d_vocab]. sampler: None shows the model's own distribution, and draws nothing.
    """
    from ..sampler import Sampler

    if sampler is not None:
        return explanation(sampler.explain(logits, ids=ids, step=step, tokenizer=tokenizer), top)
    e = Sampler(seed=0).explain(logits, tokenizer=tokenizer)
    names, (probs,) = distributions(e)
    rows = best_ids(probs, whole("top", top, 1)).tolist()
    shown = [probs[rows].tolist()]
    body = f"<h4>Next token</h4>{_bars(e, names, shown, rows, drawn=None)}"
    return View(
        "Next token",
        body,
        lambda: _text_bars(e, names, shown, rows, drawn=None),
        style=_STYLE,
        records=lambda: [
            {"id": id, "text": e.source.text_of(id), "probability": p} for id, p in zip(rows, shown[0], strict=True)
        ],
    )


def explanation(e: Explanation, top: int = 10) -> View:
    """The ledger of one step as a view. top: 1 or greater."""
    top = whole("top", top, 1)
    names, columns = distributions(e)
    rows = shown_tokens(columns[0], e.token, top)
    shown = [[float(p) for p in column[rows]] for column in columns]
    name = "" if e.text is None else f" {escape(repr(e.text))}"
    body = [f"<h4>Step {e.step}: token {e.token}{name}</h4>", _bars(e, names, shown, rows, e.token)]
    if e.stages:
        body.append(html_table(STAGE_COLUMNS, e.stage_cells()))
    body += [_strip(e, columns[-1]), *(f"<p>{escape(line)}</p>" for line in e.draw_lines())]
    body.append(f"<p class=dim>{escape(e.source.sampler)}, step {e.step}</p>")
    return View(
        f"Step {e.step}", "".join(body), lambda: _terminal(e, names, shown, rows), style=_STYLE, records=e.records
    )


def shown_tokens(probs: np.ndarray, drawn: int, top: int) -> list[int]:
    """The ids of the `top` most probable tokens, most probable first (ties: the lower id), and the drawn one."""
    best = best_ids(probs, top).tolist()
    return best if drawn in best else [*best, drawn]


def distributions(e: Explanation) -> tuple[list[str], list[np.ndarray]]:
    """The distribution before any stage and after each: names, and float64 [d_vocab] each."""
    from ..sampler import Sampler

    stages, s = e.source.sampler.stages, e.source
    chains = [Sampler(stages[:k], seed=0) for k in range(len(stages) + 1)]
    names = ["model", *(f"{stage.name} {e.stages[i].values[0]:g}" for i, stage in enumerate(stages))]
    return names, [chain.probs(s.logits, ids=s.seen) for chain in chains]


def _name(e: Explanation, id: int) -> str:
    return visible(TokenNames(e.source.tokenizer).quoted(id))


def _bars(e: Explanation, names: list[str], shown: list[list[float]], rows: list[int], drawn: int | None) -> str:
    """shown: a column per distribution, the probability of each of `rows`."""
    longest = max(map(max, shown))
    head = "".join(f"<th>{escape(name)}</th>" for name in ["token", *names])
    body = []
    for id, line in zip(rows, zip(*shown, strict=True), strict=True):
        cells = []
        for p in line:
            if p == 0:
                cells.append("<td class=gone>removed</td>")
            else:
                width = f"<span class=bar style='width:{100 * p / longest:.2f}%'></span>"
                cells.append(f"<td><span class=cell>{width}</span> {percent(p)}</td>")
        mark = " class=drawn" if id == drawn else ""
        body.append(f"<tr{mark}><td><code>{escape(_name(e, id))}</code></td>{''.join(cells)}</tr>")
    table = f"<table class=stages><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    return wide(table, "candidates")


def _strip(e: Explanation, probs: np.ndarray) -> str:
    """The cumulative distribution over ascending ids as one strip, and u. Places are in percent: labels keep a size."""
    ids = np.flatnonzero(probs)
    ends = np.cumsum(probs[ids])
    parts, rest_from = [], 0.0
    for id, end in zip(ids.tolist(), ends.tolist(), strict=True):
        begin, hit = end - probs[id], id == e.token
        if probs[id] < _LABELLED / 4 and not hit:
            continue  # drawn as one blank stretch with its neighbours
        if begin > rest_from:
            parts.append(_part(rest_from, begin, "part", ""))
        label = visible(e.source.text_of(id) or str(id)) if probs[id] >= _LABELLED or hit else ""
        parts.append(_part(begin, end, "hit" if hit else "part", label))
        rest_from = end
    if rest_from < 1:
        parts.append(_part(rest_from, 1.0, "part", ""))
    x = 100 * e.draw.u
    anchor = "end" if x > 80 else "start"
    u = f"<line class=u x1={x:.2f}% x2={x:.2f}% y1=14 y2=46 />"
    u += f"<text x={x:.2f}% y=11 text-anchor={anchor}>u = {e.draw.u:.4f}</text>"
    said = escape(e.draw_lines()[0])
    svg = f'<svg class=draw height=64 role=img aria-label="{said}">{"".join(parts)}{u}</svg>'
    return wide(f"<div class=styled hidden=hidden>{svg}</div>", "the draw")


def _part(begin: float, end: float, kind: str, label: str) -> str:
    x, width = 100 * begin, 100 * (end - begin)
    rect = f"<rect class={kind} x={x:.2f}% y=18 width={max(width, 0.05):.2f}% height=24 />"
    if not label:
        return rect
    at = x + width / 2
    anchor = "start" if at < _EDGE else "end" if at > 100 - _EDGE else "middle"  # a label in the middle would be cut
    at = {"start": x, "end": x + width, "middle": at}[anchor]
    return f"{rect}<text x={at:.2f}% y=58 text-anchor={anchor}>{escape(label)}</text>"


def _terminal(e: Explanation, names: list[str], shown: list[list[float]], rows: list[int]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    return Group(_text_bars(e, names, shown, rows, e.token), *(Text(line) for line in e.draw_lines()))


def _text_bars(
    e: Explanation, names: list[str], shown: list[list[float]], rows: list[int], drawn: int | None
) -> RenderableType:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table
    from rich.text import Text

    from ..terminal import bar

    longest = max(map(max, shown))
    first = min(16, max(len(_name(e, id)) for id in rows))

    class Bars:
        """The table with bars as long as the terminal allows: all of one scale, so none may be cropped."""

        def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
            width = min(6, max(0, (options.max_width - first - 1) // len(names) - 9))
            table = Table(box=None, header_style="dim", padding=(0, 1, 0, 0))
            table.add_column("token", no_wrap=True, min_width=first, max_width=first)
            for name in names:
                table.add_column(name, min_width=7, width=width + 8 if width else 7, overflow="fold")
            for id, line in zip(rows, zip(*shown, strict=True), strict=True):
                cells = []
                for p in line:
                    cell = f"{percent(p):>7} {bar(p / longest, width)}".rstrip() if p else "removed"
                    cells.append(Text(cell, "cyan" if p else "dim"))
                table.add_row(Text(_name(e, id), style="bold" if id == drawn else ""), *cells)
            yield table

    return Bars()
