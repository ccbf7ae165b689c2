"""Tokens of a text as chips that flow and break like it: coloured by a share, explained on hover and on focus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError
from ..ledger import token_text
from ..numbers import whole
from .page import counted, escape, share, visible

if TYPE_CHECKING:
    from rich.text import Text

# The text scrolls in a box of its own, so that the panel below it stays in sight.
STYLE = """
.ca .chips .text{max-height:25em;overflow-y:auto;line-height:1.75;overflow-wrap:anywhere}
.ca .chips .tok{line-height:1.4;padding:0 1px;margin:0 -1px 0 0;border-color:var(--line);border-radius:0;cursor:default}
.ca .chips .tok.dim{border-color:transparent;color:var(--dim)}.ca .chips .tok.id{margin-right:.4em}
.ca .chips .tok.special{border:1px dashed var(--dim);border-radius:4px;font-size:12px}
.ca .chips .nl::after{content:"⏎";color:var(--dim);font-style:normal}.ca .chips .heat .nl::after{color:inherit}
.ca .chips{--high:calc(var(--n)*19px + 12px);padding-bottom:calc(var(--high) + 10px);margin:.4em 0}
.ca .chips::after,.ca .chips .tip{left:0;right:0;bottom:0;height:var(--high)}
.ca .chips .tip{line-height:19px}.ca .chips .tip>div{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.ca .chips .tip>div:only-child{grid-column:1/-1}
.ca .chips [tabindex]:hover>.tip,.ca .chips [tabindex]:focus>.tip{display:grid!important;gap:0 1em;
grid-template-columns:minmax(16em,2fr) minmax(0,3fr);align-content:start}
@container (max-width:700px){.ca .chips{--high:calc((var(--n) + 2)*19px + 12px)}
.ca .chips .tip>div{white-space:normal;overflow-wrap:anywhere}.ca .chips .tip .alts u{white-space:nowrap}
.ca .chips [tabindex]:hover>.tip,.ca .chips [tabindex]:focus>.tip{grid-template-columns:minmax(13em,1fr) minmax(0,1fr)}}
.ca .scale{display:flex!important;flex-wrap:wrap;align-items:center;gap:0 .8em}
.ca .scale span{display:inline-flex}
.ca .scale i{font-style:normal;padding:0 .5em;border:1px solid var(--line)}.ca .scale i+i{border-left:0}
"""
_LONGEST = 40  # characters of a token in its chip
_BREAKS = 2  # line breaks that a token makes; its signs say how many it holds


@dataclass(frozen=True)
class Chip:
    """One token. text: as it reads, line breaks included. tip: HTML. share: its colour, in [0, 1]; None has none.

    kind: CSS classes: dim, special, id. parts: the pieces of the text, each with a share of its own or None.
    """

    text: str
    tip: str
    share: float | None = None
    kind: str = ""
    parts: tuple[tuple[str, float | None], ...] = ()

    def html(self) -> str:
        inner = "".join(map(_part, self.parts)) or _inline(shorten(self.text, _LONGEST))
        classes = " ".join(["tok", *(["heat"] if self.share is not None else []), *self.kind.split()])
        style = "" if self.share is None else f" style={share(self.share)}"
        chip = (
            f'<span class="{classes}" tabindex=0{style}>{inner}<span class=tip hidden=hidden>{self.tip}</span></span>'
        )
        return chip + "<br>" * min(self.text.count("\n"), _BREAKS)


class TokenNames:
    """Names of token ids. tokenizer: None where there is none; then ids are all there is."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._texts: dict[int, str | None] = {}

    def text(self, id: int) -> str | None:
        if id not in self._texts:
            self._texts[id] = token_text(self._tokenizer, id)
        return self._texts[id]

    def quoted(self, id: int) -> str:
        text = self.text(id)
        return f"id {id}" if text is None else f"'{text}'"

    def heading(self, id: int) -> str:
        """The first line of a tip."""
        text = self.text(id)
        named = "" if text is None else f"<bdi><b>'{escape(shorten(visible(text), _LONGEST))}'</b></bdi> "
        return f"{named}id {id}<br>"

    def is_special(self, id: int) -> bool:
        kind = getattr(self._tokenizer, "token_type", None)
        return kind is not None and kind(id) == "control"

    def chip(self, id: int, tip: str, share: float | None = None, kind: str = "") -> Chip:
        text = self.text(id)
        if text is None:
            return Chip(str(id), tip, share, f"{kind} id")
        return Chip(text or f"id {id}", tip, share, f"{kind} special" if self.is_special(id) else kind)


def flow(chips: Iterable[str], hint: str, lines: int, before: str = "") -> str:
    """Chips, as HTML, with the panel of their tips below.

    hint: what the panel says until a token is chosen. lines: the panel's height. before: HTML in front of the chips.
    """
    panel = f'class="tips chips" style=--n:{lines} data-hint="{escape(hint)}"'
    return f"<div {panel}><div class=text>{before}{''.join(chips)}</div></div>"


def flow_text(chips: Iterable[Chip], labels: Mapping[int, Sequence[str]] | None = None) -> Text:
    """The chips for the terminal. labels: by a chip's number, what stands before it."""
    from rich.text import Text

    from ..terminal import heat

    out = Text()
    for i, chip in enumerate(chips):
        for label in (labels or {}).get(i, ()):
            out.append(f"[{marked(label)}]", "bold")
        for text, v in chip.parts or ((chip.text, chip.share),):
            style = "dim" if v is None else heat(v)
            out.append(marked(shorten(text, _LONGEST)), f"{style} italic" if "special" in chip.kind else style)
        out.append(" " if "id" in chip.kind else "\n" * min(chip.text.count("\n"), _BREAKS))
    return out


def scale(name: str, labels: Sequence[str]) -> str:
    """The legend: what the colours mean, from share 0 to share 1 in even steps."""
    last = max(len(labels) - 1, 1)
    cells = "".join(f"<i class=heat style={share(i / last)}>{escape(label)}</i>" for i, label in enumerate(labels))
    return f'<p class="scale styled" hidden=hidden>{escape(name)} <span>{cells}</span></p>'


def window(total: int, start: int, count: int, what: str = "tokens") -> tuple[range, str]:
    """Which of `total` things to show, and the sentence that says so."""
    first, n = whole("start", start, 0), whole("count", count, 1)
    if first and first >= total:
        raise ArgumentError(f"start is {first}, but there are {total:,} {what}; expected 0 to {max(total - 1, 0)}.")
    shown = range(first, min(first + n, total))
    if len(shown) == total:
        return shown, counted(total, what.removesuffix("s"))
    more = f"; start={shown.stop} shows more" if shown.stop < total else ""
    return shown, f"{what} {shown.start:,} to {shown.stop - 1:,} of {total:,}{more}"


def shorten(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def marked(text: str) -> str:
    """A token as one line: a line break shows as ⏎, what else does not print is escaped."""
    return "⏎".join(visible(part) for part in text.split("\n"))


def _part(part: tuple[str, float | None]) -> str:
    text, v = part
    inner = _inline(shorten(text, _LONGEST))
    return inner if v is None else f'<span class="part heat" style={share(v)}>{inner}</span>'


def _inline(text: str) -> str:
    """The same in HTML, its ⏎ left to the style sheet: copied text then holds its real line breaks alone."""
    return "<i class=nl></i>".join(escape(visible(part)) for part in text.split("\n"))
