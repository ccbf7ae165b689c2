"""A conversation as the model reads it: the rendered template, whose words are whose, and the tokens they became."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import checked_arguments
from ..chat import check_messages
from ..spans import Span, content_spans
from .chips import STYLE, Chip, TokenNames, flow, flow_text, window
from .given import tokenizer_of
from .page import View, escape, share
from .table import text_table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..model import Model
    from ..tokenization import Tokenizer

SHOWN = 400
_SHARES = {"system": 0.12, "tool": 0.3, "user": 0.45, "assistant": 0.85}  # of the colour; every role has its label too
_OTHER = 0.3
_ROLES = """
.ca .chips .part{color:var(--fg)}.ca .who::before{font:600 11px/1.4 system-ui,sans-serif;padding:0 .5em;
margin:0 2px 0 0;border:1px solid var(--mark);border-radius:8px;color:var(--fg)}
.ca .who{font-style:normal}.ca .who::before{content:attr(data-role)}
"""
_HINT = "Point at a token, or press Tab: its id, its bytes, and from whom it is."


@dataclass(frozen=True)
class _Rendered:
    text: str
    spans: list[Span]
    messages: Sequence[Mapping[str, Any]]
    ids: np.ndarray
    offsets: np.ndarray  # [n, 2], characters

    def role(self, span: Span) -> str:
        return str(self.messages[span.message]["role"])

    def pieces(self, begin: int, end: int) -> list[tuple[str, Span | None]]:
        """text[begin:end] cut where spans begin and end."""
        out: list[tuple[str, Span | None]] = []
        at = begin
        for span in self.spans:
            a, b = max(span.begin, begin), min(span.end, end)
            if a >= b:
                continue
            if a > at:
                out.append((self.text[at:a], None))
            out.append((self.text[a:b], span))
            at = b
        return [*out, (self.text[at:end], None)] if at < end else out

    def whose(self, begin: int, end: int) -> str:
        """From whom text[begin:end] is."""
        owners = (
            "the template" if span is None else f"messages[{span.message}], {self.role(span)}"
            for _, span in self.pieces(begin, end)
        )
        return " and ".join(dict.fromkeys(owners)) or "the template"

    def records(self, names: TokenNames) -> list[dict[str, Any]]:
        """One per token: position, id, text, characters, and from whom it is."""
        return [
            {
                "position": at,
                "id": id,
                "text": names.text(id),
                "begin": begin,
                "end": end,
                "from": self.whose(begin, end),
            }
            for at, (id, (begin, end)) in enumerate(zip(self.ids.tolist(), self.offsets.tolist(), strict=True))
        ]

    def lost(self) -> list[int]:
        """The messages with a text as content that does not stand in the rendered text."""
        found = {span.message for span in self.spans}
        return [
            i
            for i, message in enumerate(self.messages)
            if i not in found and isinstance(message.get("content"), str) and message["content"].strip()
        ]


@checked_arguments
def chat(
    tokenizer: Tokenizer | Model,
    messages: Sequence[Mapping[str, Any]],
    template: str | None = None,
    add_generation_prompt: bool = True,
    start: int = 0,
    count: int = SHOWN,
    **context: Any,
) -> View:
    """Messages through the chat template: each content marked with its role, special tokens, ids and bytes on hover.

    tokenizer: a Tokenizer or a Model. template, add_generation_prompt, context: as `tok.apply_chat_template`. start,
    count: which tokens. What is not from a message's content is the template's.
    """
    tok = tokenizer_of(tokenizer, "views.chat(model, messages)")
    check_messages(messages)

    def render(said: list[dict[str, Any]]) -> str:
        text: str = tok.apply_chat_template(said, add_generation_prompt, template=template, **context)
        return text

    text, spans = content_spans(render, messages)
    ids, offsets = tok.encode(text, parse_special=True), tok.offsets(text, parse_special=True)
    rendered = _Rendered(text, spans, messages, ids, offsets)
    names = TokenNames(tok)
    shown, said = window(len(ids), start, count)
    chips = [_chip(rendered, names, tok, at) for at in shown]
    labels = {i: roles for i, at in enumerate(shown) if (roles := _begins(rendered, at))}
    roles = list(dict.fromkeys(map(rendered.role, spans)))
    keys = "".join(f"<i class=heat style={share(_share(role))}>{escape(role)}</i>" for role in roles)
    notes = [f"{said}, {len(text):,} characters", *_lost(rendered)]
    flowing = [_labels(labels.get(i, [])) + chip.html() for i, chip in enumerate(chips)]
    body = (
        "<h4>Chat template</h4>"
        f"<p class='scale styled' hidden=hidden><span>{keys}<i>the template</i></span></p>{flow(flowing, _HINT, 4)}"
        + "".join(f"<p class=dim>{escape(note)}</p>" for note in notes)
    )
    return View(
        "Chat template",
        body,
        lambda: _terminal(rendered, flow_text(chips, labels), notes, shown),
        style=STYLE + _ROLES,
        records=lambda: rendered.records(names),
    )


def _share(role: str) -> float:
    return _SHARES.get(role, _OTHER)


def _begins(rendered: _Rendered, at: int) -> list[str]:
    """The roles of the spans that begin within a token."""
    begin, end = rendered.offsets[at]
    return [rendered.role(span) for span in rendered.spans if begin <= span.begin < end]


def _chip(rendered: _Rendered, names: TokenNames, tok: Any, at: int) -> Chip:
    id = int(rendered.ids[at])
    begin, end = rendered.offsets[at].tolist()
    pieces = rendered.pieces(begin, end)
    raw, whose = tok.token_bytes(id), escape(rendered.whose(begin, end))
    tip = (
        f"<div>{names.heading(id)}position {at}, characters {begin} to {end}<br>from {whose}<br>"
        f"bytes {raw[:32].hex(' ').upper()}{' …' if len(raw) > 32 else ''}</div>"
    )
    chip = names.chip(id, tip, kind="dim" if all(span is None for _, span in pieces) else "")
    if chip.text != rendered.text[begin:end]:  # a part of a character
        pieces = [(chip.text, pieces[0][1] if pieces else None)]
    parts = tuple((text, None if span is None else _share(rendered.role(span))) for text, span in pieces)
    if len(parts) == 1:
        return Chip(chip.text, tip, parts[0][1], chip.kind)
    return Chip(chip.text, tip, kind=chip.kind, parts=parts)


def _labels(roles: list[str]) -> str:
    return "".join(f'<i class=who data-role="{escape(role)}"></i>' for role in roles)


def _lost(rendered: _Rendered) -> list[str]:
    return [
        f"The content of messages[{i}] ({rendered.messages[i]['role']}) does not stand in the text: "
        "the template leaves it out or rewrites it."
        for i in rendered.lost()
    ]


def _terminal(rendered: _Rendered, flowing: RenderableType, notes: list[str], shown: range) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    begins, ends = rendered.offsets[:, 0], rendered.offsets[:, 1]
    rows = []
    for span in rendered.spans:
        inside = np.flatnonzero((begins < span.end) & (ends > span.begin))
        if inside.size and inside[0] < shown.stop and inside[-1] >= shown.start:
            where = f"{span.begin} to {span.end}"
            rows.append((rendered.role(span), f"messages[{span.message}]", where, str(inside.size)))
    table = text_table(("role", "content of", "characters", "tokens"), rows)
    return Group(flowing, *(Text(note, "dim") for note in notes), Text(table))
