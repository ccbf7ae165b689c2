"""The picture of `ca.diff_tokenizers`: the text with the places marked where two tokenizers part."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .chips import STYLE, Chip, flow, flow_text, marked, shorten
from .page import View, counted, escape
from .table import html_table, text_table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..tokenizer_diff import Region, TokenizerDiff

_REGIONS = 300  # in the text
_LISTED = 200  # in the table
_HINT = "Point at a marked place, or press Tab: the tokens and ids of both."
_KINDS = {"same": "the same tokens and ids", "ids": "the same tokens, other ids", "cut": "cut differently"}
_APART = 0.6  # the colour of a place that is cut differently


def shown_tokens(tokens: Sequence[bytes]) -> str:
    """Tokens side by side on one line: spaces as ·, bytes that are no whole character as <0xE2>."""
    from ..tokenization import readable

    return shorten(" | ".join(marked(readable(token)).replace(" ", "·") for token in tokens), 80)


def shown_ids(ids: Sequence[int]) -> str:
    return shorten(" ".join(map(str, ids)), 60)


def token_diff(diff: TokenizerDiff) -> View:
    """Every region as a chip, those that are cut differently in colour, and a table of them."""
    regions, found = list(diff)[:_REGIONS], diff.differences
    chips = [chip for region in regions for chip in _chips(region, diff)]
    notes = [f"… {counted(len(diff) - len(regions), 'more region')}"] if len(diff) > len(regions) else []
    notes += [f"… {counted(len(found) - _LISTED, 'more difference')}"] if len(found) > _LISTED else []
    rows = [diff.cells(region) for region in found[:_LISTED]]
    table = html_table(diff.columns, rows) if rows else "<p>No place is cut differently.</p>"
    rest = "".join(f"<p class=dim>{note}</p>" for note in notes)
    flowing = flow([chip.html() for chip in chips], _HINT, 5)
    body = f"<h4>Two tokenizers, one text</h4><p>{escape(diff.said)}</p>{flowing}{table}{rest}"
    return View(
        "Two tokenizers, one text",
        body,
        lambda: _terminal(diff, chips, rows, notes),
        style=STYLE,
        records=diff.records,
    )


def _chips(region: Region, diff: TokenizerDiff) -> list[Chip]:
    """One for a place that is cut differently, one per line for what is cut alike."""
    from ..tokenization import readable

    sides = ((diff.a, region.a_tokens, region.a_ids), (diff.b, region.b_tokens, region.b_ids))
    lines = "<br>".join(
        f"{escape(name)}: <code>{escape(shown_tokens(tokens))}</code> {escape(shown_ids(ids))}"
        for name, tokens, ids in sides
    )
    tip = f"<div>bytes {region.begin} to {region.end}: {_KINDS[region.kind]}<br>{lines}</div>"
    text = readable(region.text)
    if region.kind == "cut":
        return [Chip(text.replace(" ", "·"), tip, _APART)]
    parts = [part for part in re.split(r"(?<=\n)", text) if part]
    return [Chip(part, tip, None, "dim", parts=tuple((cut, None) for cut in _by(40, part))) for part in parts]


def _by(n: int, text: str) -> list[str]:
    """The text in pieces of n characters: a chip shortens a longer one, and this text is to be read."""
    return [text[i : i + n] for i in range(0, len(text), n)]


def _terminal(diff: TokenizerDiff, chips: list[Chip], rows: list[tuple[str, ...]], notes: list[str]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    parts = [Text(diff.said), flow_text(chips)]
    parts += [Text(text_table(diff.columns, rows))] if rows else []
    return Group(*parts, *(Text(note, "dim") for note in notes))
