"""How a text became ids: the result of `tok.explain(text)`, and the view of its pieces, merges, tokens and bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..arguments import checked_arguments
from .chips import STYLE, Chip, TokenNames, flow, flow_text, marked, shorten, window
from .given import tokenizer_of
from .page import View, counted, escape, wide
from .shown import Shown
from .table import text_table

if TYPE_CHECKING:
    import numpy as np
    from rich.console import RenderableType

    from ..model import Model
    from ..tokenization import Text, Tokenizer

_SHOWN_MERGES = 200  # per piece in __repr__; .pieces has them all
_SHOWN_PIECES = 300
SHOWN = 250  # tokens in the view
_LISTED_MERGES = 40  # per piece in the view
_OPEN = 12  # up to so many pieces, the merges of each are unfolded
_SHARES = (0.15, 0.5)  # neighbours differ
# By `info()["model"]`: GGUF's names of models, then those of tokenizer.json.
_KEY = {"gpt2": "rank", "bert": "length", "rwkv": "length", "BPE": "rank", "WordPiece": "length"}
_STEP = {"t5": "edge", "bert": "match", "rwkv": "match", "Unigram": "edge", "WordPiece": "match"}
_TABLE = """
.ca .wide:has(>.encoding){max-height:48em;overflow-y:auto}
.ca .encoding{width:100%}
.ca .encoding td{border-top:1px solid var(--line);padding-top:.3em;white-space:normal}
.ca .encoding summary{cursor:pointer;color:var(--dim)}.ca .encoding summary:focus{outline:2px solid var(--mark)}
.ca .encoding details{white-space:nowrap}.ca .encoding .id{display:inline-block;margin-right:1.2em}
"""
_HINT = "Point at a token, or press Tab: its id, its bytes, and the piece of the text that it is from."


@dataclass(frozen=True)
class Merge:
    """One step. Of BPE a merge: `left + right` became token `id`, and `key` is its rank (byte-level; lowest first) or
    its score (SentencePiece; highest first). Elsewhere `right` is empty: an edge of unigram's lattice, with its score,
    `chosen` if it lies on the best path; or a match of WordPiece or RWKV, with its length in bytes."""

    left: bytes
    right: bytes
    id: int
    key: float
    begin: int = 0  # bytes of the normalised piece; both 0 for a merge of byte-level BPE
    end: int = 0
    chosen: bool = True

    def describe(self, key_name: str, show: Callable[[bytes], str]) -> str:
        """In one line; `show` writes bytes."""
        if self.right:
            joined = show(self.left + self.right)
            return f"{show(self.left)} + {show(self.right)} -> {joined}  {key_name} {self.key:g}"
        return f"{show(self.left)}  {key_name} {self.key:g}{'' if self.chosen else '  (not on the best path)'}"


@dataclass(frozen=True)
class Piece:
    """A part of the text that was encoded on its own, the rule that cut it, its merges in order, and its ids."""

    text: bytes
    begin: int  # bytes of the UTF-8 text
    end: int
    rule: str  # added token | contraction | letters | numbers | symbols | spaces | text
    ids: tuple[int, ...]
    tokens: tuple[str, ...]
    merges: tuple[Merge, ...]
    token_bytes: tuple[bytes, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()
    """Where each token lies, as `tok.offsets` has it: characters of a str, bytes of bytes."""


@checked_arguments
class Explanation(Shown):
    """`pieces` in the order of the text; `ids` is what `encode` gives. Shows itself as text and as HTML."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        text: Text,
        raw: list[tuple[int, int, str, list[int], list[Any]]],
        offsets: np.ndarray,
    ) -> None:
        data = text if isinstance(text, bytes) else text.encode("utf-8")
        self.text = text
        self._unit = "bytes" if isinstance(text, bytes) else "characters"
        self._tokenizer = tokenizer
        rest = iter(offsets.tolist())  # [n, 2]: begin, end of every token
        model = tokenizer.info()["model"]
        self.key_name = _KEY.get(model, "score")
        self.step_name = _STEP.get(model, "merge")
        self.pieces = tuple(
            Piece(
                data[begin:end],
                begin,
                end,
                rule,
                tuple(ids),
                tuple(tokenizer.tokens(ids)),
                tuple(Merge(*m) for m in merges),
                tuple(tokenizer.token_bytes(id) for id in ids),
                tuple((begin, end) for begin, end in islice(rest, len(ids))),
            )
            for begin, end, rule, ids, merges in raw
        )
        self.ids = tuple(i for piece in self.pieces for i in piece.ids)

    def __repr__(self) -> str:
        lines = [f"{len(self.pieces)} piece(s), {len(self.ids)} token(s)"]
        for piece in self.pieces[:_SHOWN_PIECES]:
            lines.append(f"{_show(piece.text)}  [{piece.rule}]")
            for merge in piece.merges[:_SHOWN_MERGES]:
                lines.append(f"    {merge.describe(self.key_name, _show)}")
            if len(piece.merges) > _SHOWN_MERGES:
                lines.append(f"    ... {len(piece.merges) - _SHOWN_MERGES} more {self.step_name}s (see .pieces)")
            lines.append(
                "    = " + "  ".join(f"{token!r}:{id}" for token, id in zip(piece.tokens, piece.ids, strict=True))
            )
        if len(self.pieces) > _SHOWN_PIECES:
            lines.append(f"... {len(self.pieces) - _SHOWN_PIECES} more pieces (see .pieces)")
        return "\n".join(lines)

    def view(self, start: int = 0, count: int = SHOWN) -> View:
        """`count` tokens from `start` on, with their pieces, as a View."""
        shown, said = window(len(self.ids), start, count)
        names, chips, parts, at = TokenNames(self._tokenizer), list[Chip](), list[Piece](), 0
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
        rows = "".join(self._row(part, open) for part in parts)
        said = f"{counted(len(self.pieces), 'piece')}; {said}"
        heads = "".join(
            f"<th>{name}</th>" for name in ("piece", "rule", "tokens: id and bytes", f"{self.step_name}s, in order")
        )
        table = f"<table class=encoding><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        flowing = flow([chip.html() for chip in chips], _HINT, 5)
        body = f"<h4>Pieces and tokens</h4>{flowing}<p class=dim>{said}</p>{wide(table, 'pieces')}"
        return View(
            "Pieces and tokens",
            body,
            lambda: _terminal(parts, chips, said, self._unit),
            style=STYLE + _TABLE,
            records=self.records,
        )

    def records(self) -> list[dict[str, Any]]:
        """One per token: id, text, bytes, span (as `tok.offsets`), whether it is special; and the piece that it is
        from: its bytes, its rule, the byte where it begins."""
        names = TokenNames(self._tokenizer)
        return [
            {"id": id, "token": token, "bytes": raw, "span": span, "special": names.is_special(id),
             "piece": piece.text, "rule": piece.rule, "begin": piece.begin}
            for piece in self.pieces
            for id, token, raw, span in zip(piece.ids, piece.tokens, piece.token_bytes, piece.spans, strict=True)
        ]  # fmt: skip

    def _row(self, piece: Piece, open: str) -> str:
        tokens = "".join(
            f"<span class=id><code>{_visible(raw)}</code> {id} <small>{_hex(raw)}</small></span>"
            for id, raw in zip(piece.ids, piece.token_bytes, strict=True)
        )
        steps = "<br>".join(
            f"<code>{_step(m)}</code> <small>{self.key_name} {m.key:g}{'' if m.chosen else ', not chosen'}</small>"
            for m in piece.merges[:_LISTED_MERGES]
        )
        if len(piece.merges) > _LISTED_MERGES:
            steps += f"<br>… {len(piece.merges) - _LISTED_MERGES} more (see .pieces)"
        n = len(piece.merges)
        folded = f"<details{open}><summary>{counted(n, self.step_name)}</summary>{steps}</details>" if n else ""
        return (
            f"<tr><td><code>{_visible(piece.text)}</code></td><td>{escape(piece.rule)}</td>"
            f"<td>{tokens}</td><td>{folded}</td></tr>"
        )


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

    return escape(shorten(marked(readable(raw)).replace(" ", "·"), 60))


def _step(merge: Merge) -> str:
    """A step as HTML."""
    if not merge.right:
        return _visible(merge.left)
    return f"{_visible(merge.left)} + {_visible(merge.right)} → {_visible(merge.left + merge.right)}"


def _terminal(pieces: list[Piece], chips: list[Chip], said: str, unit: str) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    rows = [
        (repr(piece.tokens[i]), str(id), _hex(raw), "{}-{}".format(*piece.spans[i]), piece.rule if i == 0 else "")
        for piece in pieces
        for i, (id, raw) in enumerate(zip(piece.ids, piece.token_bytes, strict=True))
    ]
    table = text_table(("token", "id", "bytes", unit if unit == "characters" else "at", "piece by rule"), rows)
    return Group(flow_text(chips), Text(said, "dim"), Text(table))


def _show(raw: bytes) -> str:
    from ..tokenization import readable

    return repr(readable(raw))
