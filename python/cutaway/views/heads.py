"""Attention patterns: the heads of a layer, one of them large, and what each token attends to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ArgumentError
from ..numbers import whole
from ..trace import Trace
from .chips import STYLE as CHIPS
from .chips import scale, shorten
from .masks import mask, pooled
from .page import View, escape, share, wide
from .patterns import Window, patterns_of, weights, window

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLE = """
.ca .attn .map{display:block;background:var(--hi);-webkit-mask:var(--m) 0 0/100% 100% no-repeat;
mask:var(--m) 0 0/100% 100% no-repeat;image-rendering:pixelated}
.ca .attn .heads{display:flex!important;flex-wrap:wrap;gap:.4em;margin:.4em 0}
.ca .attn .head{padding:2px;border:2px solid var(--line);border-radius:4px;background:var(--lo);color:var(--fg);
font:12px/1.3 system-ui,sans-serif;opacity:1}
.ca .attn .head:enabled{cursor:pointer}
.ca .attn .head:enabled:hover,.ca .attn .head:focus{outline:2px solid var(--mark)}
.ca .attn .head[aria-pressed=true]{border-color:var(--mark);font-weight:700}.ca .attn .head .map{width:56px;height:56px}
.ca .attn .panes{display:flex;flex-wrap:wrap;gap:.6em 1.4em;align-items:flex-start}
.ca .attn .side{flex:1 1 20em;min-width:0}.ca .attn .wide{max-width:100%}
.ca .attn .big{display:grid!important;grid-template:auto auto/auto auto;justify-content:start;width:max-content;
font:min(12px,var(--c))/1 ui-monospace,monospace}
.ca .attn .area{position:relative;grid-area:2/2;width:calc(var(--k)*var(--c));height:calc(var(--q)*var(--c));
border:1px solid var(--line);background:var(--lo)}
.ca .attn .area .map{width:100%;height:100%}
.ca .attn .line{position:absolute;left:-2px;right:-2px;top:calc(var(--i)*var(--c) - 2px);height:var(--c);
border:2px solid var(--mark);pointer-events:none}
.ca .attn .rows{grid-area:2/1;padding:1px .5em 0 0;text-align:right}
.ca .attn .rows span{display:block;height:var(--c);line-height:var(--c);white-space:pre}
.ca .attn .cols{grid-area:1/2;display:flex;padding-left:1px}
.ca .attn .cols span{width:var(--c);line-height:var(--c);writing-mode:vertical-rl;transform:rotate(180deg);
white-space:pre;padding-top:.4em}
.ca .attn .corner{grid-area:1/1;align-self:end;text-align:right;padding:0 1em .5em 0;color:var(--dim)}
.ca .attn .flow{line-height:1.8;--n:5}.ca .attn .flow .tok{padding:1px 3px;cursor:default;border-color:var(--line)}
.ca .attn .flow .query{border-color:var(--mark);box-shadow:0 0 0 1px var(--mark);font-weight:700}
.ca .attn .flow [tabindex]:hover>.tip,.ca .attn .flow [tabindex]:focus>.tip{grid-template-columns:1fr}
.ca .attn .tip p{margin:0}.ca .attn .now{min-height:1.5em}
"""
_BUDGET = 180_000  # bytes of body and data; style sheet and script come on top
_SIDE = 560  # the large map's longest side, in pixels
_LABEL = 14  # characters of a token beside the map
_THUMBNAIL = 32  # cells of a thumbnail's side
_TIP_KEYS = 6
_QUANTUM = 0.004  # the most that a weight kept as a byte of its square root is off by: (1 - (254.5 / 255) ** 2)


def attention(
    patterns: Trace | np.ndarray,
    tokens: Sequence[str] | None = None,
    layer: int | None = None,
    head: int = 0,
    layers: Iterable[int] | None = None,
    start: int = 0,
    count: int | None = None,
) -> View:
    """Attention patterns: the heads of a layer as thumbnails, one head large, and on hover what a token attends to.

    patterns: a trace with `blocks.*.attn.pattern`, or an array [n_heads, query_pos, key_pos] (a batch axis of 1 may
    lead) or [query_pos, key_pos], float32 or float16.
    tokens: names of the keys, [key_pos]; a trace knows its own. layer (default: the first traced), head: what is shown
    first. layers: which to have in the page (default: as many as fit into 200 KB). start, count: which tokens to show;
    what falls on keys before them is summed up.
    """
    source = patterns_of(patterns, tokens)
    layer = min(source.patterns) if layer is None else whole("layer", layer)
    wanted = sorted(source.patterns) if layers is None else [whole("layers", i) for i in layers]
    for i in (layer, *wanted):
        if i not in source.patterns:
            raise ArgumentError(f"Layer {i} is not in the trace; it has patterns of {_listed(source.patterns)}.")
    n_heads = len(source.patterns[layer])
    head = whole("head", head)
    if not 0 <= head < n_heads:
        raise ArgumentError(f"head is {head}, expected 0 to {n_heads - 1}.")
    shown = window(source, start, count)
    while True:  # one layer must fit; then as many as do
        body, data = _body(shown, layer, head), {layer: shown.packed(layer)}
        room = _BUDGET - len(body.encode()) - len(data[layer])
        if room > 0 or len(shown.keys) == 1:
            break
        shown = window(source, shown.keys.start, len(shown.keys) * 9 // 10)
    for i in sorted({*wanted} - {layer}, key=lambda i: abs(i - layer)):
        one = shown.packed(i)
        room -= len(one)
        if room < 0:
            break
        data[i] = one
    notes = _notes(shown)
    if left := sorted({*wanted} - {*data}):
        notes.append(f"In this page: {_listed(data)}. For {_listed(left)}: layer= or layers=, or a smaller count=.")
    elif source.n_layers is not None and len(source.patterns) < source.n_layers:
        notes.append(f"Traced: {_listed(source.patterns)} of {source.n_layers}.")
    options = "".join(f"<option{' selected' if i == layer else ''}>{i}</option>" for i in sorted(data))
    packed = {
        "layers": {i: data[i] for i in sorted(data)},
        "layer": layer,
        "head": head,
        "queries": shown.queries,
        "earlier": shown.earlier,
    }
    html = (
        f"<div class=attn data-w='{json.dumps(packed, separators=(',', ':'))}'><h4>Attention</h4>"
        f"<p><span class=choose hidden=hidden><label>layer <select>{options}</select></label></span> "
        f"<b class=now aria-live=polite>layer {layer}, head {head}</b></p>"
        f"{body}<p class=dim>{' '.join(map(escape, notes))}</p></div>"
    )
    return View("Attention", html, lambda: _terminal(shown, layer, head), style=CHIPS + _STYLE, script=_script())


def _notes(shown: Window) -> list[str]:
    total, notes = len(shown.source.labels), []
    if len(shown.keys) < total:
        notes.append(f"Tokens {shown.keys.start} to {shown.keys.stop - 1} of {total:,}; start= and count= show others.")
    if shown.earlier:
        notes.append(f"'{shown.names()[0]}' sums up the weight on tokens before them.")
    notes.append(
        "A row is a query, a column a key. Colour: square root of the weight. Weights in this page are kept in 255 "
        f"steps of their square root, off by at most {_QUANTUM}."
    )
    return notes


def _body(shown: Window, layer: int, head: int) -> str:
    shares, names, queries = shown.shares(layer), shown.names(), shown.queries
    maps = shares[:, :, shown.earlier :]
    n_keys, cell = len(shown.keys), min(26, max(2, _SIDE // max(len(shown.keys), 10)))
    buttons = []
    for h, one in enumerate(maps):
        style = mask(pooled(one, _THUMBNAIL))
        buttons.append(
            f"<button type=button class=head disabled aria-pressed={'true' if h == head else 'false'} "
            f'aria-label="head {h}"><span class=map style="{style}"></span>{h}</button>'
        )
    labels = [escape(shorten(name.strip(), _LABEL)) for name in names[shown.earlier :]]
    sides = ""
    if cell >= 9:  # below that nobody can read them, and the tokens stand beside the map
        rows = "".join(f"<span>{labels[q]}</span>" for q in queries)
        cols = "".join(f"<span>{label}</span>" for label in labels)
        sides = f"<div class=corner>query ↓ key →</div><div class=rows>{rows}</div><div class=cols>{cols}</div>"
    last = len(queries) - 1
    big = (
        f"<div class='big styled' hidden=hidden style='--c:{cell}px;--k:{n_keys};--q:{len(queries)}'>{sides}"
        "<div class=area>"
        f'<div class=map role=img aria-label="attention pattern of layer {layer}, head {head}" '
        f'style="{mask(maps[head])}"></div><div class=line style=--i:{last}></div></div></div>'
    )
    row_of = {q + shown.earlier: i for i, q in enumerate(queries)}
    chips = []
    for k, name in enumerate(names):
        lit = shares[head, last, k] / 255
        text = escape(name)
        if k in row_of:
            tip = _tip(shares[head, row_of[k]], names)
            query = " query" if row_of[k] == last else ""
            where = shown.keys.start + k - shown.earlier
            chips.append(
                f'<span class="tok heat{query}" tabindex=0 style={share(lit)}>{text}'
                f"<span class=tip hidden=hidden><div><b>{text}</b> (position {where}) attends to</div>"
                f"<p>{escape(tip)}</p></span></span>"
            )
        else:
            chips.append(f'<span class="tok heat" style={share(lit)}>{text}</span>')
    flow = (
        '<div class="tips chips flow" data-hint="Point at a token, or press Tab: what it attends to.">'
        f"<div class=text>{''.join(chips)}</div></div>"
    )
    legend = scale("weight", ["0", "0.06", "0.25", "0.56", "1"])
    heads = f"<div class='heads styled' hidden=hidden role=group aria-label=heads>{''.join(buttons)}</div>"
    return f"{heads}<div class=panes>{wide(big, 'the pattern')}<div class=side>{legend}{flow}</div></div>"


def _tip(row: np.ndarray, names: list[str]) -> str:
    """The keys with most weight. row: uint8 [earlier + key]."""
    best = [k for k in np.argsort(-row.astype(int), kind="stable")[:_TIP_KEYS].tolist() if row[k]]
    per_cent = [100 * (int(row[k]) / 255) ** 2 for k in best]
    return ", ".join(f"'{names[k]}' {w:.{0 if row[k] > 80 else 1}f} %" for k, w in zip(best, per_cent, strict=True))


def _listed(layers: Iterable[int]) -> str:
    """Layers in words, runs as ranges."""
    runs: list[list[int]] = []
    for i in sorted(layers):
        if runs and runs[-1][1] == i - 1:
            runs[-1][1] = i
        else:
            runs.append([i, i])
    said = ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in runs)
    return f"{'layer' if said.isdigit() else 'layers'} {said}"


def _script() -> str:
    return files(__package__).joinpath("attention.js").read_text("utf-8")


def _terminal(shown: Window, layer: int, head: int) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from ..terminal import attention as picture

    pattern = weights(shown.source, layer)[head][shown.rows]
    keys, queries = shown.keys[:48], shown.queries  # two characters each
    rows = [i for i, q in enumerate(queries) if q < len(keys)]
    cut = pattern[rows, keys.start : keys.stop]
    labels = [shown.source.labels[k] for k in keys]
    drawn = picture(cut, labels, queries=[queries[i] for i in rows], first=keys.start)
    title = Text(f"layer {layer}, head {head}: a row is a query, a column a key; the darker, the more weight", "dim")
    more = len(shown.source.labels) - len(keys)
    return Group(title, drawn, *([Text(f"{more} more tokens; start= and count= show others", "dim")] if more else []))
