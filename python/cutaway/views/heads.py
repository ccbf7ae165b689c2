"""Attention patterns: the heads of a layer, one of them large, and what each token attends to."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ArgumentError
from ..ledger import token_text
from ..numbers import whole
from ..trace import Trace
from .chips import STYLE as CHIPS
from .chips import scale, shorten
from .labels import label
from .masks import mask, pooled
from .page import View, escape, share

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLE = """
.ca .attn .map{display:block;background:var(--hi);-webkit-mask:var(--m) 0 0/100% 100% no-repeat;
mask:var(--m) 0 0/100% 100% no-repeat;image-rendering:pixelated}
.ca .attn .heads{display:flex;flex-wrap:wrap;gap:.4em;margin:.4em 0}
.ca .attn .head{padding:2px;border:2px solid var(--line);border-radius:4px;background:var(--lo);color:var(--fg);
font:12px/1.3 system-ui,sans-serif;opacity:1}
.ca .attn .head:enabled{cursor:pointer}
.ca .attn .head:enabled:hover,.ca .attn .head:focus{outline:2px solid var(--mark)}
.ca .attn .head[aria-pressed=true]{border-color:var(--mark);font-weight:700}.ca .attn .head .map{width:56px;height:56px}
.ca .attn .panes{display:flex;flex-wrap:wrap;gap:.6em 1.4em;align-items:flex-start}
.ca .attn .side{flex:1 1 20em;min-width:0}.ca .attn .wide{max-width:100%}
.ca .attn .big{display:grid;grid-template:auto auto/auto auto;justify-content:start;line-height:1;width:max-content;
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
_WINDOW = 48  # tokens at once by default: labels can still be read
_BUDGET = 180_000  # bytes of body and data; style sheet and script come on top
_SIDE = 560  # the large map's longest side, in pixels
_LABEL = 14  # characters of a token beside the map
_THUMBNAIL = 32  # cells of a thumbnail's side
_TIP_KEYS = 6
_QUANTUM = 0.004  # the most that a weight kept as a byte of its square root is off by: (1 - (254.5 / 255) ** 2)


@dataclass(frozen=True)
class _Source:
    """Patterns and what stands beside them."""

    patterns: Mapping[int, np.ndarray]
    """By layer: [n_heads, query_pos, key_pos]."""
    labels: tuple[str, ...]
    """[key_pos]: tokens as they read."""
    positions: np.ndarray
    """[query_pos]: the key at which each query stands."""
    n_layers: int | None
    """Of the model; None where an array was given."""


@dataclass(frozen=True)
class _Window:
    """The part of the patterns that is shown: keys in `keys`, the queries among them."""

    source: _Source
    keys: range
    rows: np.ndarray
    """Which queries."""

    @property
    def queries(self) -> list[int]:
        """For each row, the shown key at which its query stands."""
        return [int(p) - self.keys.start for p in self.source.positions[self.rows]]

    @property
    def earlier(self) -> int:
        """1 where keys before the window are summed up in front of each row."""
        return int(self.keys.start > 0)

    def shares(self, layer: int) -> np.ndarray:
        """uint8 [n_heads, row, earlier + key]: round(255 sqrt(weight))."""
        pattern = _checked(self.source, layer)[:, self.rows]
        shown = pattern[:, :, self.keys.start : self.keys.stop]
        if self.earlier:
            shown = np.concatenate([pattern[:, :, : self.keys.start].sum(2, keepdims=True), shown], axis=2)
        return np.rint(255 * np.sqrt(np.minimum(shown, 1.0))).astype(np.uint8)

    def packed(self, layer: int) -> str:
        """Base64 of the bytes of all heads, row by row, each up to its query."""
        shares = self.shares(layer)
        ends = [q + 1 + self.earlier for q in self.queries]
        kept = [head[i, :end] for head in shares for i, end in enumerate(ends)]
        return base64.b64encode(np.concatenate(kept).tobytes()).decode()

    def names(self) -> list[str]:
        """What the tokens of the flow are called, the sum of the earlier ones included."""
        shown = [self.source.labels[k] for k in self.keys]
        return [f"{self.keys.start} earlier", *shown] if self.earlier else shown


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
    source = _source(patterns, tokens)
    layer = min(source.patterns) if layer is None else whole("layer", layer)
    wanted = sorted(source.patterns) if layers is None else [whole("layers", i) for i in layers]
    for i in (layer, *wanted):
        if i not in source.patterns:
            raise ArgumentError(f"Layer {i} is not in the trace; it has patterns of {_listed(source.patterns)}.")
    n_heads = len(source.patterns[layer])
    head = whole("head", head)
    if not 0 <= head < n_heads:
        raise ArgumentError(f"head is {head}, expected 0 to {n_heads - 1}.")
    shown = _window(source, start, count)
    while True:  # one layer must fit; then as many as do
        body, data = _body(shown, layer, head), {layer: shown.packed(layer)}
        room = _BUDGET - len(body.encode()) - len(data[layer])
        if room > 0 or len(shown.keys) == 1:
            break
        shown = _window(source, shown.keys.start, len(shown.keys) * 9 // 10)
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
        f"<p><label hidden>layer <select>{options}</select></label> "
        f"<b class=now aria-live=polite>layer {layer}, head {head}</b></p>"
        f"{body}<p class=dim>{' '.join(map(escape, notes))}</p></div>"
    )
    return View("Attention", html, lambda: _terminal(shown, layer, head), style=CHIPS + _STYLE, script=_script())


def _source(patterns: Trace | np.ndarray, tokens: Sequence[str] | None) -> _Source:
    if isinstance(patterns, Trace):
        found = {}
        for name in patterns.names():
            if name.endswith(".attn.pattern"):
                found[int(name.split(".")[1])] = patterns[name][0] if patterns[name].ndim == 4 else patterns[name]
        if not found:
            raise ArgumentError("The trace has no attention patterns; trace names='blocks.*.attn.pattern'.")
        n_keys = next(iter(found.values())).shape[2]
        if tokens is None and patterns.ids is not None:
            texts = [token_text(patterns.tokenizer, int(id)) for id in patterns.ids]
            tokens = [f"id {id}" if text is None else text for id, text in zip(patterns.ids, texts, strict=True)]
        n_layers = patterns.n_layers
        positions = patterns.positions
    else:
        array = np.asarray(patterns)
        array = array[None] if array.ndim == 2 else array[0] if array.shape[:1] == (1,) and array.ndim == 4 else array
        if array.ndim != 3 or array.dtype.kind != "f" or 0 in array.shape or array.shape[1] > array.shape[2]:
            raise ArgumentError(
                f"views.attention got {array.dtype} {list(array.shape)}, expected a trace or weights [n_heads, "
                f"query_pos, key_pos], such as trace['blocks.0.attn.pattern']."
            )
        found, n_layers, n_keys = {0: array}, None, array.shape[2]
        positions = np.arange(n_keys - array.shape[1], n_keys)  # the last of the text
    if tokens is None:
        raise ArgumentError(f"Pass tokens=, the {n_keys} tokens of the keys; this input does not know them.")
    if len(tokens) != n_keys:
        raise ArgumentError(f"tokens has {len(tokens)} names, expected one per key: {n_keys}.")
    return _Source(found, tuple(label(str(token)) for token in tokens), positions, n_layers)


def _checked(source: _Source, layer: int) -> np.ndarray:
    """float32 [n_heads, query_pos, key_pos]: weights, none on a key behind its query."""
    pattern = source.patterns[layer].astype(np.float32)
    if not (np.isfinite(pattern).all() and pattern.min() >= 0 and pattern.max() <= 1 + 1e-3):
        raise ArgumentError("The pattern holds numbers outside [0, 1]; attn.pattern are weights, attn.scores are not.")
    if pattern[:, np.arange(pattern.shape[2]) > source.positions[:, None]].any():
        raise ArgumentError("The pattern has weight on keys behind their query; a causal one is expected.")
    return pattern


def _window(source: _Source, start: int, count: int | None) -> _Window:
    """At most `count` tokens from `start` on."""
    total, first = len(source.labels), whole("start", start, 0)
    n = _WINDOW if count is None else whole("count", count, 1)
    if first == 0 and count is None and source.positions[0] >= n:
        first = total - n  # only later tokens look: where they are
    if first >= total:
        raise ArgumentError(f"start is {first}, but there are {total:,} tokens; expected 0 to {total - 1}.")
    keys = range(first, min(first + n, total))
    rows = np.flatnonzero((source.positions >= first) & (source.positions < keys.stop))
    if not len(rows):
        raise ArgumentError(
            f"No query stands at {first} to {keys.stop - 1}; the rows of this trace are at "
            f"{int(source.positions[0])} to {int(source.positions[-1])}."
        )
    return _Window(source, keys, rows)


def _notes(shown: _Window) -> list[str]:
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


def _body(shown: _Window, layer: int, head: int) -> str:
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
        f"<div class=wide><div class=big style='--c:{cell}px;--k:{n_keys};--q:{len(queries)}'>{sides}<div class=area>"
        f'<div class=map role=img aria-label="attention pattern of layer {layer}, head {head}" '
        f'style="{mask(maps[head])}"></div><div class=line style=--i:{last}></div></div></div></div>'
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
                f'<span class="tok heat{query}" tabindex=0 style={share(lit)}>{text}<span class=tip><div><b>{text}</b> '
                f"(position {where}) attends to</div><p>{escape(tip)}</p></span></span>"
            )
        else:
            chips.append(f'<span class="tok heat" style={share(lit)}>{text}</span>')
    flow = (
        '<div class="tips chips flow" data-hint="Point at a token, or press Tab: what it attends to.">'
        f"<div class=text>{''.join(chips)}</div></div>"
    )
    legend = scale("weight", ["0", "0.06", "0.25", "0.56", "1"])
    heads = f"<div class=heads role=group aria-label=heads>{''.join(buttons)}</div>"
    return f"{heads}<div class=panes>{big}<div class=side>{legend}{flow}</div></div>"


def _tip(row: np.ndarray, names: list[str]) -> str:
    """The keys with most weight. row: uint8 [earlier + key]."""
    best = [k for k in np.argsort(-row.astype(int), kind="stable")[:_TIP_KEYS].tolist() if row[k]]
    weights = [100 * (int(row[k]) / 255) ** 2 for k in best]
    return ", ".join(f"'{names[k]}' {w:.{0 if row[k] > 80 else 1}f} %" for k, w in zip(best, weights, strict=True))


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


def _terminal(shown: _Window, layer: int, head: int) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from ..terminal import attention as picture

    pattern = _checked(shown.source, layer)[head][shown.rows]
    keys, queries = shown.keys[:48], shown.queries  # two characters each
    rows = [i for i, q in enumerate(queries) if q < len(keys)]
    cut = pattern[rows, keys.start : keys.stop]
    labels = [shown.source.labels[k] for k in keys]
    drawn = picture(cut, labels, queries=[queries[i] for i in rows], first=keys.start)
    title = Text(f"layer {layer}, head {head}: a row is a query, a column a key; the darker, the more weight", "dim")
    more = len(shown.source.labels) - len(keys)
    return Group(title, drawn, *([Text(f"{more} more tokens; start= and count= show others", "dim")] if more else []))
