"""Bits per byte: how well models with any vocabularies predict the same bytes.

Each model reads the prompt inside its own template and the answer behind it, tokenised in its own way. The bytes that
count are the same for all: the longest stretch of the content at whose two ends every model has a border between two
tokens. So template tokens, tokens that straddle the content's border in any model, and a first token that a model
without template or BOS cannot predict are left out for all models alike.

bits = -sum of log2 P(token | everything before it) over the tokens of the stretch; bits_per_byte = bits / bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import checked_arguments
from ..errors import Error
from ..views.table import Table
from .prompts import content
from .tokens import _cell, given_texts

if TYPE_CHECKING:
    from .sides import Side
    from .table import Comparison


@dataclass(frozen=True)
class BitsRow:
    """One model on one text."""

    prompt: int
    """Index of the prompt."""
    part: str
    """"prompt" | "answer"."""
    answer_of: str
    """Whose answer the text is; "text" for a given one; empty for the prompt."""
    sample: int
    model: str
    bytes: int
    tokens: int
    bits: float
    bits_per_byte: float


@checked_arguments
class BitsTable(Table[BitsRow]):
    """One row per text and model. `skipped`: what could not be compared, and why."""

    title = "Bits per byte"
    columns = tuple(BitsRow.__dataclass_fields__)
    note = "the same bytes for every model: -sum of log2 P over the tokens in them, by the bytes"

    def __init__(self, rows: Sequence[BitsRow], skipped: Sequence[str] = ()) -> None:
        super().__init__(rows)
        self.skipped = tuple(skipped)
        if skipped:
            self.note = f"{self.note}; left out: {'; '.join(skipped)}"

    def records(self) -> list[dict[str, Any]]:
        return [asdict(row) for row in self]

    def cells(self, row: BitsRow) -> tuple[str, ...]:
        return tuple(_cell(value) for value in asdict(row).values())


@dataclass(frozen=True)
class _Text:
    """What is compared: a prompt, or what follows it. The fields of BitsRow that name it."""

    prompt: int
    part: str
    answer_of: str
    sample: int


@dataclass(frozen=True)
class _Read:
    """A text as one model reads it: ids, and the borders of its predicted content tokens, in bytes of the content."""

    ids: np.ndarray
    at: np.ndarray
    spans: np.ndarray

    def borders(self) -> set[int]:
        return set(self.spans.ravel().tolist())


def compare_bits(comparison: Comparison, text: str | Sequence[str] | None, *, progress: bool) -> BitsTable:
    """What `Comparison.bits_per_byte` does: tokenise with every model, agree on the bytes, then score one by one."""
    from .run import progress_bar

    texts, prompts = _texts(comparison, text), comparison.prompts
    sides = comparison._sides
    reads: dict[tuple[_Text, str], _Read] = {}
    skipped: dict[_Text, str] = {}
    for side in sides:
        tokenizer = side.tokenizer()
        for one, answer in texts.items():
            try:
                reads[one, side.label] = _read(side, tokenizer, prompts[one.prompt], answer)
            except Error as error:
                skipped[one] = str(error)
    stretch = {one: _common([reads[one, side.label] for side in sides]) for one in texts if one not in skipped}
    rows: dict[tuple[_Text, str], BitsRow] = {}
    with progress_bar(len(stretch) * len(sides), 0, progress, "text") as bar:
        for side in sides:
            with side.model() as model:
                for one, (begin, end) in stretch.items():
                    try:
                        tokens, bits = _bits(model, reads[one, side.label], begin, end)
                        per_byte = bits / (end - begin) if end > begin else math.nan
                        rows[one, side.label] = BitsRow(
                            **asdict(one), model=side.label, bytes=end - begin, tokens=tokens, bits=bits,
                            bits_per_byte=per_byte,
                        )  # fmt: skip
                    except Error as error:
                        skipped[one] = str(error)
                    bar.update(1)
            del model  # before the next one is loaded
    kept = [rows[one, side.label] for one in texts if one not in skipped for side in sides]
    return BitsTable(
        kept, [f"prompt {t.prompt}, {t.part} {t.answer_of}".rstrip() + f": {e}" for t, e in skipped.items()]
    )


def _texts(comparison: Comparison, text: str | Sequence[str] | None) -> dict[_Text, str | None]:
    """What is compared, in order: each prompt, then what follows it (None: nothing)."""
    out: dict[_Text, str | None] = {}
    given = None if text is None else given_texts(comparison, text)
    for index, rows in comparison.by_prompt().items():
        if comparison.align == "content":
            out[_Text(index, "prompt", "", 0)] = None
        if given is not None:
            out[_Text(index, "answer", "text", 0)] = given[index]
            continue
        for row in rows:
            if row.text:
                out[_Text(index, "answer", row.model, row.sample)] = row.text
    return out


def _read(side: Side, tokenizer: Any, prompt: str, answer: str | None) -> _Read:
    template = side.template(tokenizer)
    rendered = template.render(prompt, tokenizer)
    ids, spans = template.encode(rendered.text + (answer or ""), tokenizer)
    begin, end = rendered.span()
    if answer is not None:
        begin = len(rendered.text.encode("utf-8"))
        end = begin + len(answer.encode("utf-8"))
    at = content(spans, begin, end)
    at = at[at > 0]  # the first position has no prediction
    return _Read(ids, at, spans[at] - begin)


def _common(reads: Sequence[_Read]) -> tuple[int, int]:
    """The longest stretch of the content, in bytes, whose ends are borders of tokens for every model."""
    borders = set.intersection(*(read.borders() for read in reads))
    return (min(borders), max(borders)) if borders else (0, 0)


def _bits(model: Any, read: _Read, begin: int, end: int) -> tuple[int, float]:
    """Tokens in the stretch, and their bits."""
    inside = read.at[(read.spans[:, 0] >= begin) & (read.spans[:, 1] <= end)]
    if not len(inside):
        return 0, 0.0
    logprobs = model.score(read.ids[: inside[-1] + 1])  # [pos - 1]: entry i is of token i + 1
    return len(inside), -math.fsum(logprobs[inside - 1].tolist()) / math.log(2)
