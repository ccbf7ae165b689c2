"""How a text became ids: the result of `tok.explain(text)`, and the view of its pieces, merges, tokens and bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..arguments import checked_arguments
from .chips import STYLE, Chip, TokenNames, flow, flow_text, marked, shorten, window
from .given import tokenizer_of
from .page import View, counted, escape, wide
from .shown import Shown, frame
from .steps import KEY, SPELLED, STEP, Merge, Piece, read_pieces, several, step_records
from .table import text_table

if TYPE_CHECKING:
    import numpy as np
    from rich.console import RenderableType

    from ..model import Model
    from ..tokenization import Text, Tokenizer

_SHOWN_MERGES = 200  # per piece in __repr__; .pieces has them all
_SHOWN_PIECES = 300
SHOWN = 250  # tokens in the view
_LISTED_STEPS = (40, 16, 6)  # per piece in the view: fewer where the page would be too long
_MOST_BYTES = 196_000  # of the page: a notebook of many stays light
_TERMINAL_STEPS = 200  # of all pieces, in the terminal
_OPEN = 12  # up to so many pieces, the merges of each are unfolded
_SHARES = (0.15, 0.5)  # neighbours differ
_TABLE = """
.ca .wide:has(>.encoding){max-height:48em;overflow-y:auto}
.ca .encoding{width:100%}
.ca .encoding td{border-top:1px solid var(--line);padding-top:.3em;white-space:normal}
.ca .encoding summary{cursor:pointer;color:var(--dim)}.ca .encoding summary:focus{outline:2px solid var(--mark)}
.ca .encoding details{white-space:nowrap}.ca .encoding pre{white-space:pre;margin:.1em 0}
.ca .encoding pre i{font-style:normal;color:var(--dim)}.ca .encoding .id{display:inline-block;margin-right:1.2em}
"""
_HINT = "Point at a token, or press Tab: its id, its bytes, and the piece of the text that it is from."


@checked_arguments
class Explanation(Shown):
    """`pieces` in the order of the text; `ids` is what `encode` gives. Shows itself as text and as HTML."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        text: Text,
        raw: list[tuple[int, int, str, list[int], list[Any], bytes]],
        offsets: np.ndarray,
    ) -> None:
        data = text if isinstance(text, bytes) else text.encode("utf-8")
        self.text = text
        self._unit = "bytes" if isinstance(text, bytes) else "characters"
        self._tokenizer = tokenizer
        model = tokenizer.info()["model"]
        self.key_name = KEY.get(model, "score")
        self.step_name = STEP.get(model, "merge")
        self._steps_name = several(self.step_name)
        self._spelled = model in SPELLED
        self.pieces = read_pieces(tokenizer, data, raw, offsets)
        self.ids = tuple(i for piece in self.pieces for i in piece.ids)

    def __repr__(self) -> str:
        lines = [f"{len(self.pieces)} piece(s), {len(self.ids)} token(s)"]
        for piece in self.pieces[:_SHOWN_PIECES]:
            lines.append(f"{piece.normalization(_show)}  [{piece.rule}]")
            for merge in piece.merges[:_SHOWN_MERGES]:
                lines.append(f"    {merge.describe(self.key_name, _show)}")
            if len(piece.merges) > _SHOWN_MERGES:
                lines.append(f"    ... {len(piece.merges) - _SHOWN_MERGES} more {self._steps_name} (see .pieces)")
            lines.append(
                "    = " + "  ".join(f"{token!r}:{id}" for token, id in zip(piece.tokens, piece.ids, strict=True))
            )
        if len(self.pieces) > _SHOWN_PIECES:
            lines.append(f"... {len(self.pieces) - _SHOWN_PIECES} more pieces (see .pieces)")
        return "\n".join(lines)

    def view(self, start: int = 0, count: int = SHOWN) -> View:
        """`count` tokens from `start` on, with their pieces, as a View; fewer where the page would be above 200 KB."""
        shown, _ = window(len(self.ids), start, count)
        for listed in _LISTED_STEPS:
            view = self._view(start, max(len(shown), 1), listed)
            if (size := _bytes_of(view)) <= _MOST_BYTES:
                return view
        n = len(shown)
        while size > _MOST_BYTES and n > 1:
            n = max(min(n * _MOST_BYTES // size, n - 1), 1)
            view = self._view(start, n, listed)
            size = _bytes_of(view)
        return view

    def _view(self, start: int, count: int, listed: int) -> View:
        """listed: how many steps of a piece are on the page."""
        shown, said = window(len(self.ids), start, count)
        names = (_Spelled if self._spelled else TokenNames)(self._tokenizer)
        chips, parts, at = list[Chip](), list[Piece](), 0
        for piece in self.pieces:
            n = len(piece.ids)
            inside = slice(max(shown.start - at, 0), max(shown.stop - at, 0))
            part = replace(
                piece,
                ids=piece.ids[inside],
                tokens=piece.tokens[inside],
                token_bytes=piece.token_bytes[inside],
                spans=piece.spans[inside],
            )
            if part.ids or (not n and shown.start <= at <= shown.stop):
                first = at + inside.start
                chips += [_chip(names, part, i, first, self._unit) for i in range(len(part.ids))]
                parts.append(part)
            at += n
        open = " open" if len(parts) <= _OPEN else ""
        rows = "".join(self._row(part, open, listed) for part in parts)
        said = f"{counted(len(self.pieces), 'piece')}; {said}"
        heads = "".join(
            f"<th>{name}</th>" for name in ("piece", "rule", "tokens: id and bytes", f"{self._steps_name}, in order")
        )
        table = f"<table class=encoding><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        flowing = flow([chip.html() for chip in chips], _HINT, 5)
        body = f"<h4>Pieces and tokens</h4>{flowing}<p class=dim>{said}</p>{wide(table, 'pieces')}"
        return View(
            "Pieces and tokens",
            body,
            lambda: self._terminal(parts, chips, said),
            style=STYLE + _TABLE,
            records=self.records,
        )

    def records(self) -> list[dict[str, Any]]:
        """One per token: id, text, bytes, span (as `tok.offsets`), whether it is special; and the piece that it is
        from: its bytes, what they were normalised to, its rule, the byte where it begins."""
        names = TokenNames(self._tokenizer)
        return [
            {"id": id, "token": token, "bytes": raw, "span": span, "special": names.is_special(id),
             "piece": piece.text, "normalized": piece.normalized, "rule": piece.rule, "begin": piece.begin}
            for piece in self.pieces
            for id, token, raw, span in zip(piece.ids, piece.tokens, piece.token_bytes, piece.spans, strict=True)
        ]  # fmt: skip

    def to_pandas(self, steps: bool = False) -> Any:
        """A DataFrame: one row per token (see `records`), or with steps=True one row per merge, edge of the lattice or
        greedy match, in order. ca.Error where pandas is not installed."""
        return frame(step_records(self.pieces, self.step_name, self.key_name) if steps else self.records())

    def _row(self, piece: Piece, open: str, listed: int) -> str:
        tokens = "".join(
            f"<span class=id><code>{_text(token)}</code> {id} <small>{_hex(raw)}</small></span>"
            for token, id, raw in zip(piece.tokens, piece.ids, piece.token_bytes, strict=True)
        )
        steps = "\n".join(self._step(merge) for merge in piece.merges[:listed])
        n = len(piece.merges)
        if n > listed:
            steps += f"\n… {n - listed:,} more (see .to_pandas(steps=True))"
        title = counted(n, self.step_name) if n == 1 else f"{n:,} {self._steps_name}"
        folded = f"<details{open}><summary>{title}</summary><pre>{steps}</pre></details>" if n else ""
        became = f"<br>→&nbsp;<code>{_visible(piece.normalized)}</code>" if piece.normalized != piece.text else ""
        return (
            f"<tr><td><code>{_visible(piece.text)}</code>{became}</td><td>{escape(piece.rule)}</td>"
            f"<td>{tokens}</td><td>{folded}</td></tr>"
        )

    def _step(self, merge: Merge) -> str:
        """A step as HTML: one line."""
        line = merge.describe(self.key_name, _visible, "→")
        return line if merge.chosen else f"<i>{line}</i>"

    def _terminal(self, pieces: list[Piece], chips: list[Chip], said: str) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        rows = [
            (repr(piece.tokens[i]), str(id), _hex(raw), "{}-{}".format(*piece.spans[i]), piece.rule if i == 0 else "")
            for piece in pieces
            for i, (id, raw) in enumerate(zip(piece.ids, piece.token_bytes, strict=True))
        ]
        table = text_table(
            ("token", "id", "bytes", self._unit if self._unit != "bytes" else "at", "piece by rule"), rows
        )
        told = [piece for piece in pieces if piece.merges or piece.normalized != piece.text]
        lines = [
            line
            for piece in told
            for line in (
                piece.normalization(_show, "→"),
                *(f"    {merge.describe(self.key_name, _show, '→')}" for merge in piece.merges),
            )
        ]
        if len(lines) > _TERMINAL_STEPS:
            lines[_TERMINAL_STEPS:] = [f"... {len(lines) - _TERMINAL_STEPS:,} more lines (see .to_pandas(steps=True))"]
        own = [Text(f"{self._steps_name}, in order", "dim"), Text("\n".join(lines))] if lines else []
        return Group(flow_text(chips), Text(said, "dim"), Text(table), *own)


class _Spelled(TokenNames):
    """Names of tokens as the vocabulary marks them."""

    def text(self, id: int) -> str | None:
        return str(self._tokenizer.piece(id))


@checked_arguments
def pieces(
    tokenizer: Tokenizer | Model,
    text: Text,
    start: int = 0,
    count: int = SHOWN,
    add_special_tokens: bool = False,
    parse_special: bool = False,
) -> View:
    """A text cut into pieces, their merges, and the tokens that come out, with ids and bytes (`tok.explain` as a View).

    tokenizer: a Tokenizer or a Model. start, count: which tokens. add_special_tokens, parse_special: as `tok.encode`.
    """
    tok = tokenizer_of(tokenizer, "views.pieces(tokenizer, text)")
    view: View = tok.explain(text, add_special_tokens, parse_special).view(start, count)
    return view


def _chip(names: TokenNames, piece: Piece, i: int, first: int, unit: str) -> Chip:
    """Token i of a part of a piece whose first token is at position `first`."""
    special = ", special" if names.is_special(piece.ids[i]) else ""
    begin, end = piece.spans[i]
    tip = (
        f"<div>{names.heading(piece.ids[i])}position {first + i}{special}; {unit} {begin} to {end}<br>"
        f"bytes {_hex(piece.token_bytes[i], 48)}<br>"
        f"of the piece <code>{_visible(piece.text)}</code>: {escape(piece.rule)}<br>"
        f"which is bytes {piece.begin} to {piece.end} of the text</div>"
    )
    chip = names.chip(piece.ids[i], tip, _SHARES[(first + i) % len(_SHARES)])
    return replace(chip, text=chip.text.replace(" ", "·"))


def _hex(raw: bytes, most: int = 16) -> str:
    return raw[:most].hex(" ").upper() + (" …" if len(raw) > most else "")


def _visible(raw: bytes) -> str:
    """Bytes as HTML: spaces as ·, line breaks as ⏎, bytes that are no whole character as <0xE2>."""
    from ..tokenization import readable

    return _text(readable(raw))


def _text(text: str) -> str:
    return escape(shorten(marked(text).replace(" ", "·"), 60))


def _bytes_of(view: View) -> int:
    return len(view.page().encode())


def _show(raw: bytes) -> str:
    from ..tokenization import readable

    return repr(readable(raw))
