"""A comparison as a picture: a column per model, a row per prompt."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .chips import STYLE, Chip, scale, shorten
from .page import View, counted, escape, visible

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..comparison.answers import Answer
    from ..comparison.table import Comparison

COMPARED = (
    STYLE
    + """
.ca .cmp{border-top:1px solid var(--line);padding-top:.3em}.ca .cmp h5{margin:.3em 0;font-size:1em;font-weight:600}
.ca .cols{display:grid;gap:0 1.2em;align-items:start}
.ca .cols>div{min-width:0}.ca .cols>div+div{border-left:1px solid var(--line);padding-left:1.2em}
.ca .cols h5{color:var(--dim);border-bottom:1px solid var(--line)}
.ca .said{line-height:1.75;overflow-wrap:anywhere;margin:.3em 0}
.ca .read{font:13px/1.5 ui-monospace,monospace;white-space:pre-wrap;color:var(--dim)}
.ca .read b{color:var(--fg);font-weight:400}
.ca .facts{color:var(--dim);font-size:13px;margin:.2em 0 .8em}.ca .facts span{white-space:nowrap}
.ca .wrong{color:var(--mark)}
"""
)
HINT = "Point at a token, or press Tab: "
_SHARES = ("0", "0.25", "0.5", "0.75", "1")
TOKENS = 600  # coloured tokens with a hover in one view: about 150 KB
_KNOWN = 400  # characters of a prompt in the terminal and in a heading
_TEXT = 2000  # characters of a prompt or a plain answer that a cell shows


def side_by_side(comparison: Comparison, prompts: int) -> View:
    """The first `prompts` prompts of a comparison."""
    by_prompt = dict(itertools.islice(comparison.by_prompt().items(), prompts))
    coloured = _budget(by_prompt.values())
    body = [f"<h4>{escape(_title(comparison))}</h4>", scale("probability before any stage", _SHARES)]
    body += [_prompt_row(comparison, rows, coloured) for rows in by_prompt.values()]
    rest = len(comparison.prompts) - len(by_prompt)
    if rest:
        body.append(f"<p class=dim>… {rest:,} more prompts; .to_pandas() has all rows, .of([...]) shows others</p>")
    return View(
        _title(comparison),
        "".join(body),
        lambda: _terminal(comparison, by_prompt, rest),
        style=COMPARED,
        records=comparison.records,
    )


def _title(comparison: Comparison) -> str:
    settings, prompts = comparison.settings, len(comparison.prompts)
    said = f"{' | '.join(comparison.labels)}: {counted(prompts, 'prompt')}, {counted(settings['n'], 'sample')} each"
    said += f", seed {settings['seed']}, {', '.join(settings['stages'])}"
    return said + (" (interrupted: rows are missing)" if comparison.interrupted else "")


def _budget(groups: Iterable[Sequence[Answer]]) -> set[tuple[str, int, int]]:
    """The answers whose tokens are coloured: from the first on, as many as fit."""
    coloured, left = set(), TOKENS
    for row in itertools.chain.from_iterable(groups):
        left -= row.tokens
        if left >= 0:
            coloured.add((row.model, *row.key))
    return coloured


def _prompt_row(comparison: Comparison, rows: Sequence[Answer], coloured: set[tuple[str, int, int]]) -> str:
    columns = "".join(
        f"<div>{_column(label, [row for row in rows if row.model == label], coloured)}</div>"
        for label in comparison.labels
    )
    across = f"grid-template-columns:repeat({len(comparison.labels)},minmax(14em,1fr))"
    hint = escape(f"{HINT}its probability and the entropy there.")
    return (
        f'<section class="cmp tips chips" style=--n:1 data-hint="{hint}"><h5>{escape(_ends(rows[0].prompt))}</h5>'
        f'<div class=wide><div class=cols style="{across}">{columns}</div></div></section>'
    )


def _column(label: str, rows: Sequence[Answer], coloured: set[tuple[str, int, int]]) -> str:
    head = f"<h5>{escape(label)}</h5>"
    if not rows:
        return f"{head}<p class=dim>no rows</p>"
    return head + _read(rows[0]) + "".join(_answer(row, (row.model, *row.key) in coloured) for row in rows)


def _read(row: Answer) -> str:
    """What the model read: the template dimmed, the prompt not."""
    before, prompt, after = _read_parts(row)
    return f"<div class='said read'>{escape(_cut(before))}<b>{escape(_cut(prompt))}</b>{escape(_cut(after))}</div>"


def _read_parts(row: Answer) -> tuple[str, str, str]:
    """What the template put before the prompt, the prompt, and what it put after."""
    begin, end = row.span
    return row.rendered[:begin], row.rendered[begin:end], row.rendered[end:]


def _answer(row: Answer, coloured: bool) -> str:
    if row.error is not None:
        return f"<p class=wrong>failed: {escape(_sound(row.error))}</p>"
    tokens = [_token(row, i) for i in range(len(row.ids))] if coloured else [escape(_cut(row.text or ""))]
    return f"<div class=said>{''.join(tokens)}</div><p class=facts>{_facts(row)}</p>"


def _token(row: Answer, i: int) -> str:
    p, piece = math.exp(row.logprobs[i]), row.pieces[i]
    said = f"probability {p:.3g}, log P {row.logprobs[i]:.3f}, entropy {row.entropies[i]:.2f} nats"
    return Chip(piece, tip(piece, f"id {row.ids[i]}", said), p).html()


def tip(piece: str, *said: str) -> str:
    """One line about a token."""
    return f"<div><bdi><b>'{escape(shorten(visible(piece), 40))}'</b></bdi> {escape(', '.join(said))}</div>"


def _facts(row: Answer) -> str:
    facts = [
        f"seed {row.seed}",
        f"{counted(row.tokens, 'token')}, {escape(row.finish_reason)}",
        f"mean log P {row.mean_logprob:.2f}",
        f"entropy {row.entropy:.2f}",
        f"top-1 {100 * row.top1_rate:.0f} %",
        f"repeats {100 * row.repeats:.0f} %",
        f"echoes {100 * row.echoes_prompt:.0f} %",
    ]
    return " · ".join(f"<span>{fact}</span>" for fact in facts)


def _cut(text: str) -> str:
    text = _sound(text)
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}… ({len(text) - _TEXT:,} more characters)"


def _ends(text: str) -> str:
    """How a long text begins and ends: enough to know it by, where the answer is what is read."""
    text = _sound(text)
    if len(text) <= _KNOWN:
        return text
    half = _KNOWN // 2
    return f"{text[:half]} … ({len(text) - 2 * half:,} more characters) … {text[-half:]}"


def _sound(text: str) -> str:
    """Text with its line breaks and tabs; what else does not print, half a surrogate pair too, is escaped."""
    return "".join(c if c in "\n\t" else visible(c) for c in text)


def _terminal(comparison: Comparison, by_prompt: dict[int, list[Answer]], rest: int) -> RenderableType:
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[Any] = [Text(_title(comparison), style="bold")]
    table = Table(box=box.SIMPLE, show_lines=True, expand=True, padding=(0, 1))
    for label in comparison.labels:
        table.add_column(label, ratio=1, overflow="fold")
    for rows in by_prompt.values():
        cells = []
        for label in comparison.labels:
            cell = Text()
            mine = [row for row in rows if row.model == label]
            if mine:
                before, prompt, after = _read_parts(mine[0])
                cell.append(_ends(before), "dim").append(_ends(prompt), "bold").append(_ends(after), "dim")
            for row in mine:
                cell.append("\n")
                if row.error is not None:
                    cell.append(f"failed: {_sound(row.error)}", "red")
                    continue
                cell.append(_cut(row.text or ""), "cyan")
                cell.append(
                    f"\n[seed {row.seed}: {counted(row.tokens, 'token')}, {row.finish_reason}, "
                    f"mean log P {row.mean_logprob:.2f}, entropy {row.entropy:.2f}, repeats {100 * row.repeats:.0f} %]",
                    "dim",
                )
            cells.append(cell)
        table.add_row(*cells)
    parts.append(table)
    if rest:
        parts.append(Text(f"… {rest:,} more prompts", style="dim"))
    return Group(*parts)
