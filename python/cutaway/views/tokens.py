"""How a text became ids: the result of `tok.explain(text)`."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..tokenizer import Text, Tokenizer

_SHOWN_MERGES = 200  # per piece in __repr__ and HTML; .pieces has them all
_SHOWN_PIECES = 300


@dataclass(frozen=True)
class Merge:
    """One merge: `left + right` became token `id`. `key` is its rank (byte-level BPE; lowest first) or its score
    (SentencePiece; highest first)."""

    left: bytes
    right: bytes
    id: int
    key: float


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


class Explanation:
    """`pieces` in the order of the text; `ids` is what `encode` gives. Shows itself as text and as HTML."""

    def __init__(self, tokenizer: Tokenizer, text: Text, raw: list[tuple[int, int, str, list[int], list[Any]]]) -> None:
        data = text if isinstance(text, bytes) else text.encode("utf-8")
        self.text = text
        self.key_name = "rank" if tokenizer.info()["model"] == "gpt2" else "score"
        self.pieces = tuple(
            Piece(
                data[begin:end],
                begin,
                end,
                rule,
                tuple(ids),
                tuple(tokenizer.tokens(ids)),
                tuple(Merge(*m) for m in merges),
            )
            for begin, end, rule, ids, merges in raw
        )
        self.ids = tuple(i for piece in self.pieces for i in piece.ids)

    def __repr__(self) -> str:
        lines = [f"{len(self.pieces)} piece(s), {len(self.ids)} token(s)"]
        for piece in self.pieces[:_SHOWN_PIECES]:
            lines.append(f"{_show(piece.text)}  [{piece.rule}]")
            for merge in piece.merges[:_SHOWN_MERGES]:
                joined = merge.left + merge.right
                lines.append(
                    f"    {_show(merge.left)} + {_show(merge.right)} -> {_show(joined)}  {self.key_name} {merge.key:g}"
                )
            if len(piece.merges) > _SHOWN_MERGES:
                lines.append(f"    ... {len(piece.merges) - _SHOWN_MERGES} more merges (see .pieces)")
            lines.append(
                "    = " + "  ".join(f"{token!r}:{id}" for token, id in zip(piece.tokens, piece.ids, strict=True))
            )
        if len(self.pieces) > _SHOWN_PIECES:
            lines.append(f"... {len(self.pieces) - _SHOWN_PIECES} more pieces (see .pieces)")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = []
        for piece in self.pieces[:_SHOWN_PIECES]:
            merges = "<br>".join(
                f"{_escape(_show(m.left))} + {_escape(_show(m.right))} &rarr; "
                f"<b>{_escape(_show(m.left + m.right))}</b> <small>{self.key_name} {m.key:g}</small>"
                for m in piece.merges[:_SHOWN_MERGES]
            )
            if len(piece.merges) > _SHOWN_MERGES:
                merges += f"<br>&hellip; {len(piece.merges) - _SHOWN_MERGES} more"
            tokens = " ".join(
                f"<span style='background:hsl({id * 47 % 360},60%,85%);color:#000;padding:0 .2em;white-space:pre'>"
                f"{_escape(token)}<sub>{id}</sub></span>"
                for token, id in zip(piece.tokens, piece.ids, strict=True)
            )
            rows.append(
                f"<tr><td><code>{_escape(_show(piece.text))}</code></td><td>{piece.rule}</td><td>{merges}</td><td>{tokens}</td></tr>"
            )
        more = len(self.pieces) - _SHOWN_PIECES
        return (
            f"<p>{len(self.pieces)} piece(s), {len(self.ids)} token(s)</p>"
            "<table><tr><th>piece</th><th>rule</th><th>merges, in order</th><th>tokens</th></tr>"
            + "".join(rows)
            + "</table>"
            + (f"<p>&hellip; {more} more pieces</p>" if more > 0 else "")
        )


def _show(raw: bytes) -> str:
    from ..tokenizer import readable

    return repr(readable(raw))


def _escape(text: str) -> str:
    return html.escape(text)
