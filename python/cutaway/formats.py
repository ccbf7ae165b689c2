"""The same record as JSON, YAML and CSV, in tokens: `ca.compare_formats`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .arguments import check_text, checked_arguments, described
from .errors import ArgumentError
from .plain_yaml import to_yaml
from .views.given import named_tokenizer
from .views.table import Table

if TYPE_CHECKING:
    from .model import Model
    from .tokenization import Tokenizer
    from .views.page import View


@dataclass(frozen=True)
class FormatRow:
    """One way to write the record."""

    format: str
    tokens: int
    characters: int
    bytes: int
    ratio: float
    """Tokens over those of the first format."""
    text: str
    ids: tuple[int, ...]


@checked_arguments
class FormatComparison(Table[FormatRow]):
    """A row per format, in the order asked for. `table["YAML"].text` is what was counted."""

    title = "One record, several formats"
    one = "format"
    columns = ("format", "tokens", "characters", "bytes", "x the first")

    def __init__(self, rows: Sequence[FormatRow], tokenizer: Any) -> None:
        super().__init__(rows)
        self._tokenizer = tokenizer

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, str):
            for row in self:
                if row.format.lower() == index.lower():
                    return row
            there = ", ".join(row.format for row in self)
            raise ArgumentError(f"There is no format {index!r} here; there are {there}.")
        if isinstance(index, slice):
            return FormatComparison(self._rows[index], self._tokenizer)
        return super().__getitem__(index)

    def cells(self, row: FormatRow) -> tuple[str, ...]:
        return row.format, f"{row.tokens:,}", f"{row.characters:,}", f"{row.bytes:,}", f"{row.ratio:.2f}"

    def records(self) -> list[dict[str, Any]]:
        """One per format."""
        return [{name: getattr(row, name) for name in FormatRow.__dataclass_fields__} for row in self]

    def view(self) -> View:
        """The counts, and each text by its tokens, side by side."""
        from .views.formats import formats

        return formats(self, self._tokenizer)


def _json(record: Any) -> str:
    return json.dumps(record, ensure_ascii=False, indent=2)


def _compact(record: Any) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def _csv(record: Any) -> str:
    """A line of names and a line per record (RFC 4180, but for line breaks of \\n); what is nested is `name.inner`."""
    records = list(record) if isinstance(record, (list, tuple)) else [record]
    rows = []
    for i, one in enumerate(records):
        if not isinstance(one, dict):
            raise ArgumentError(f"CSV takes a dict or a list of dicts, got {described(one)} at [{i}]. {_WITHOUT}")
        rows.append(_flat(one))
    names = list(dict.fromkeys(name for row in rows for name in row))
    if not names:
        raise ArgumentError(f"CSV needs a record with a field at least, got none. {_WITHOUT}")
    lines = [names, *([row.get(name, "") for name in names] for row in rows)]
    return "".join(_csv_line(fields) for fields in lines)


def _csv_line(fields: Sequence[str]) -> str:
    """The csv module leaves a carriage return bare in some versions of Python; here it is in quotes."""
    quoted = ['"' + field.replace('"', '""') + '"' if set(field) & set(',"\r\n') else field for field in fields]
    return (",".join(quoted) or '""') + "\n"  # a line of nothing would be no record


_WITHOUT = "Leave it out: formats=('JSON', 'YAML')."


def _flat(record: dict[str, Any], before: str = "") -> dict[str, str]:
    out: dict[str, str] = {}
    for key, value in record.items():
        name = before + key
        if isinstance(value, (list, tuple)):
            raise ArgumentError(f"CSV has no place for the list at {name!r}. {_WITHOUT}")
        inner = _flat(value, f"{name}.") if isinstance(value, dict) else {name: _cell(value)}
        if clash := sorted(set(inner) & set(out)):
            raise ArgumentError(f"CSV would have two columns {clash[0]!r}. {_WITHOUT}")
        out.update(inner)
    return out


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


FORMATS: dict[str, Callable[[Any], str]] = {"JSON": _json, "JSON compact": _compact, "YAML": to_yaml, "CSV": _csv}


@checked_arguments
def compare_formats(
    record: Any, tokenizer: Tokenizer | Model | str, formats: Sequence[str] = tuple(FORMATS)
) -> FormatComparison:
    """The same record as JSON, YAML and CSV: how many tokens each takes, and which.

    record: a dict with str keys, or a list of them; values are str, finite numbers, bool, None, dicts and lists. CSV
    takes no lists in a record; dicts in it become columns such as "address.city". formats: some of "JSON" (indented by
    2), "JSON compact", "YAML" (block style), "CSV". Texts are not ASCII-escaped. tokenizer: one, a Model, or a name as
    `ca.tokenizer` takes it.

    ArgumentError, with the place, for data that a format cannot hold.
    """
    tok = named_tokenizer(tokenizer, "compare_formats(record, tokenizer)") if not _swapped(record) else None
    if tok is None:
        raise ArgumentError("The record comes first: compare_formats(record, tokenizer).")
    if isinstance(formats, str) or not formats:
        raise ArgumentError(f"formats is a list of names, some of {', '.join(FORMATS)}; got {described(formats)}.")
    if not isinstance(record, (dict, list, tuple)):
        raise ArgumentError(f"The record is {described(record)}, expected a dict with str keys, or a list of them.")
    to_yaml(record)  # the check of what is plain data
    rows: list[FormatRow] = []
    known = {name.lower(): name for name in FORMATS}
    for asked in formats:
        name = known.get(str(asked).lower())
        if name is None:
            raise ArgumentError(f"There is no format {asked!r}; there are {', '.join(FORMATS)}.")
        text = FORMATS[name](record)
        check_text("the record", text)
        ids = tuple(int(id) for id in tok.encode(text))
        first = rows[0].tokens if rows else len(ids)
        rows.append(FormatRow(name, len(ids), len(text), len(text.encode()), len(ids) / first, text, ids))
    return FormatComparison(rows, tok)


def _swapped(record: Any) -> bool:
    return hasattr(record, "encode") and hasattr(record, "tokens")
