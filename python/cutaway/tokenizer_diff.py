"""Where two tokenizers cut one text differently: `ca.diff_tokenizers`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .arguments import checked_arguments
from .views.given import name_of, named_tokenizer
from .views.table import Table

if TYPE_CHECKING:
    from .model import Model
    from .tokenization import Text, Tokenizer
    from .views.page import View


@dataclass(frozen=True)
class Region:
    """A stretch of the text at whose ends both tokenizers cut: text[begin:end] in bytes of UTF-8.

    kind: "same": both make tokens of the same bytes and ids; "ids": the same bytes under other ids; "cut": other
    tokens. Neighbours of one kind are joined where it is not "cut", so those hold as little as can be compared.
    """

    begin: int
    end: int
    kind: str
    text: bytes
    a_ids: tuple[int, ...]
    b_ids: tuple[int, ...]
    a_tokens: tuple[bytes, ...]
    b_tokens: tuple[bytes, ...]


@checked_arguments
class TokenizerDiff(Table[Region]):
    """The regions of a text, in its order. `.differences`: those that two tokenizers cut differently.

    `.a`, `.b`: their names. `.a_ids`, `.b_ids`: what each makes of the text. `.counts`: tokens of each, tokens that
    both cut alike (and of those with the same id), and regions cut differently. `.same`: whether all ids are equal.
    """

    title = "Two tokenizers"
    one = "region"
    columns = ("bytes", "text", "a", "ids of a", "b", "ids of b")

    def __init__(self, rows: Sequence[Region], a: str, b: str, text: bytes) -> None:
        super().__init__(rows)
        self.a, self.b, self.text = a, b, text
        self.a_ids = tuple(id for region in rows for id in region.a_ids)
        self.b_ids = tuple(id for region in rows for id in region.b_ids)
        alike = [region for region in rows if region.kind != "cut"]
        self.counts = {
            "a_tokens": len(self.a_ids),
            "b_tokens": len(self.b_ids),
            "cut_alike": sum(len(region.a_ids) for region in alike),
            "same_id": sum(p == q for region in alike for p, q in zip(region.a_ids, region.b_ids, strict=True)),
            "cut_differently": len(rows) - len(alike),
        }

    def __getitem__(self, index: Any) -> Any:
        rows = self._rows[index] if isinstance(index, slice) else None
        return super().__getitem__(index) if rows is None else TokenizerDiff(rows, self.a, self.b, self.text)

    @property
    def differences(self) -> list[Region]:
        return [region for region in self if region.kind == "cut"]

    @property
    def same(self) -> bool:
        """Whether both make the same ids of the text."""
        return self.a_ids == self.b_ids

    @property
    def said(self) -> str:
        """One sentence: how much is alike."""
        from .views.page import counted

        n = self.counts
        alike = f"{counted(n['cut_alike'], 'token')} cut alike, {n['same_id']:,} of them under the same id"
        places = f"{counted(n['cut_differently'], 'place')} cut differently"
        return f"a = {self.a}: {n['a_tokens']:,} tokens; b = {self.b}: {n['b_tokens']:,}; {alike}; {places}"

    def cells(self, row: Region) -> tuple[str, ...]:
        from .views.token_diff import shown_ids, shown_tokens

        return (
            f"{row.begin}-{row.end}",
            shown_tokens([row.text]),
            shown_tokens(row.a_tokens),
            shown_ids(row.a_ids),
            shown_tokens(row.b_tokens),
            shown_ids(row.b_ids),
        )

    def __repr__(self) -> str:
        from .views.table import text_table

        found = self.differences
        table = text_table(self.columns, [self.cells(region) for region in found[:_LISTED]])
        more = f"\n... {len(found) - _LISTED} more (see .differences)" if len(found) > _LISTED else ""
        return f"{self.said}\n{table}{more}" if found else self.said

    def records(self) -> list[dict[str, Any]]:
        """One per region."""
        fields = Region.__dataclass_fields__
        return [{name: getattr(region, name) for name in fields} for region in self]

    def view(self) -> View:
        """The text with the places marked where the two part, and a table of those."""
        from .views.token_diff import token_diff

        return token_diff(self)


_LISTED = 200  # differences in the text and in the picture


@checked_arguments
def diff_tokenizers(a: Tokenizer | Model | str, b: Tokenizer | Model | str, text: Text) -> TokenizerDiff:
    """Where two tokenizers cut the same text differently: aligned regions with the ids and tokens of both.

    a, b: Tokenizers, Models, or names as `ca.tokenizer` takes them. text: str, or bytes; positions are bytes of UTF-8,
    so that cuts inside a character are seen. Nothing is added to the text, and control tokens in it are text.
    """
    call = "diff_tokenizers(a, b, text)"
    first, second = named_tokenizer(a, call), named_tokenizer(b, call)
    sides = [_Side(one, text) for one in (first, second)]
    data = text if isinstance(text, bytes) else text.encode("utf-8")
    shared = np.intersect1d(sides[0].cuts(len(data)), sides[1].cuts(len(data)))
    parts = [side.between(shared) for side in sides]
    runs: list[tuple[str, int, int]] = []  # kind, first and last + 1 of the parts that a region is made of
    for i, ((a_ids, a_spans), (b_ids, b_spans)) in enumerate(zip(*parts, strict=True)):
        kind = "cut" if a_spans != b_spans else "same" if a_ids == b_ids else "ids"
        if runs and runs[-1][0] == kind != "cut":
            runs[-1] = (kind, runs[-1][1], i + 1)
        else:
            runs.append((kind, i, i + 1))
    rows = []
    for kind, start, stop in runs:
        begin, end = int(shared[start]), int(shared[stop])
        ids = [tuple(id for part in side[start:stop] for id in part[0]) for side in parts]
        tokens = [tuple(data[p:q] for part in side[start:stop] for p, q in part[1]) for side in parts]
        rows.append(Region(begin, end, kind, data[begin:end], ids[0], ids[1], tokens[0], tokens[1]))
    return TokenizerDiff(rows, *_names(first, second), data)


class _Side:
    """One tokenizer's ids of a text, and the bytes that each is of."""

    def __init__(self, tokenizer: Any, text: Any) -> None:
        self.ids = tokenizer.encode(text)
        data = text if isinstance(text, bytes) else text.encode("utf-8")
        self.spans = np.asarray(tokenizer.offsets(data), np.int64).reshape(-1, 2)  # [n, 2]: begin, end

    def cuts(self, size: int) -> np.ndarray:
        """Positions at which no token is open: where the text may be taken apart."""
        opened = np.zeros(size + 2, np.int64)
        wide = self.spans[self.spans[:, 1] - self.spans[:, 0] > 1]
        np.add.at(opened, wide[:, 0] + 1, 1)
        np.add.at(opened, wide[:, 1], -1)
        closed = np.cumsum(opened)[: size + 1] == 0
        ends = np.zeros(size + 1, bool)
        ends[self.spans.ravel()] = True
        ends[[0, size]] = True
        return np.flatnonzero(closed & ends)

    def between(self, cuts: np.ndarray) -> list[tuple[tuple[int, ...], list[tuple[int, int]]]]:
        """Ids and spans of each region; a token without bytes belongs to what follows it."""
        regions = max(len(cuts) - 1, 0)
        at = np.clip(np.searchsorted(cuts, self.spans[:, 0], "right") - 1, 0, max(regions - 1, 0))
        out: list[tuple[tuple[int, ...], list[tuple[int, int]]]] = []
        order = np.searchsorted(at, np.arange(regions + 1))
        for i in range(regions):
            some = slice(order[i], order[i + 1])
            spans = [(int(p), int(q)) for p, q in self.spans[some]]
            out.append((tuple(int(id) for id in self.ids[some]), spans))
        return out


def _names(a: Any, b: Any) -> tuple[str, str]:
    """What to call them: their own names, else their files, apart."""
    paths = [str(one.info().get("path") or "") if hasattr(one, "info") else "" for one in (a, b)]
    names = [name_of(one) or letter for one, letter in zip((a, b), "ab", strict=True)]
    if names[0] == names[1]:
        names = [path or letter for path, letter in zip(paths, "ab", strict=True)]
    return (names[0], names[1]) if names[0] != names[1] else (names[0], f"{names[1]} (b)")
