"""Names of activations: the table that `model.names()` shows, and how what a user writes becomes one of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from .arguments import checked_arguments, described, item
from .errors import ArgumentError, UnknownNameError
from .nearest import did_you_mean, nearest
from .views.shown import Shown

if TYPE_CHECKING:
    from .views.page import View


@dataclass(frozen=True)
class Activation:
    """One named value of the forward pass."""

    name: str
    shape: tuple[str, ...]
    """The axes in words with their lengths where they are fixed: ("pos", "n_heads=9", "d_head=64")."""
    dtype: str
    equation: str
    replaceable: bool
    """Whether a hook may replace it."""
    id: int
    kind: str
    """"rows" [pos, ...] | "pattern" [n_heads, query_pos, key_pos] | "logits" [pos, d_vocab] | "derived"."""
    layer: int | None


@dataclass(frozen=True)
class Selection:
    """What a list of names means to a call; made once for each list, since a decode loop asks in every step."""

    chosen: tuple[Activation, ...]
    """Each once, in the order of computation."""
    taps: tuple[int, ...]
    """The engine's numbers of what it must keep: of the chosen, and of what derived ones are made from."""


@checked_arguments
class Names(Shown, Sequence[Activation]):
    """Every activation of a model, in the order in which it is computed."""

    def __init__(self, rows: Iterable[Activation]):
        self._rows = list(rows)
        self._by_name = {row.name: row for row in self._rows}
        self.by_id = {row.id: row for row in self._rows}
        """By the engine's number."""
        self._selected: dict[tuple[str, ...], Selection] = {}  # of earlier calls

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Activation]:
        return iter(self._rows)

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return self._rows[key] if isinstance(key, slice) else item(self._rows, key, "activation")
        (row,) = self.select(canonical(key).replace("*", "")).chosen  # unknown names raise, with near misses
        return row

    def __contains__(self, key: object) -> bool:
        return canonical(key) in self._by_name if isinstance(key, str) else key in self._rows

    def select(self, patterns: str | Iterable[str]) -> Selection:
        """The activations that any of the names or wildcards means."""
        if not isinstance(patterns, Iterable):
            raise ArgumentError(
                f"names must be one or several of model.names(), such as ['blocks.*.attn.pattern'], got "
                f"{described(patterns)}."
            )
        listed = [patterns] if isinstance(patterns, str) else list(patterns)
        if all(isinstance(pattern, str) for pattern in listed) and tuple(listed) in self._selected:
            return self._selected[tuple(listed)]
        names: set[str] = set()
        for pattern in listed:
            if not isinstance(pattern, str):
                raise ArgumentError(f"names must be strings, got {pattern!r}.")
            name = canonical(pattern)
            found = [n for n in self._by_name if fnmatchcase(n, name)] if "*" in name else [name]
            if not found or found[0] not in self._by_name:
                near = [f"blocks.*.{name}"] if f"blocks.0.{name}" in self._by_name else []
                near = near or nearest(name, self._by_name, n=3, cutoff=0.6)
                hint = beyond(name, self._by_name) or did_you_mean(near, "model.names() lists them all.")
                raise UnknownNameError(f"There is no activation '{pattern}'.{hint}")
            names.update(found)
        if len(self._selected) >= 64:
            self._selected.clear()
        chosen = tuple(row for row in self._rows if row.name in names)
        taps = {row.id for row in chosen} | {self.source(row).id for row in chosen}
        self._selected[tuple(listed)] = Selection(chosen, tuple(sorted(taps)))
        return self._selected[tuple(listed)]

    def source(self, row: Activation) -> Activation:
        """What is traced so that it can be shown: itself, or z for a derived result."""
        return self._by_name[f"blocks.{row.layer}.attn.z"] if row.kind == "derived" else row

    def _cells(self) -> Iterator[tuple[str, str, str, str]]:
        for row in self._rows:
            yield row.name, f"[{', '.join(row.shape)}]", row.equation, "" if row.replaceable else "read-only"

    def __repr__(self) -> str:
        """One block stands for all, since they are alike."""
        shown = [c for c in self._cells() if not re.match(r"blocks\.(?!0\.)", c[0])]
        w = [max(len(c[i]) for c in shown) for i in range(2)]
        lines = [f"{c[0]:<{w[0]}}  {c[1]:<{w[1]}}  {c[2]}{'  (' + c[3] + ')' if c[3] else ''}" for c in shown]
        layers = {row.layer for row in self._rows if row.layer is not None}
        return "\n".join([*lines, f"{len(self)} activations; blocks.0 stands for all {len(layers)} blocks"])

    def records(self) -> list[dict[str, Any]]:
        """One per activation, of all blocks."""
        return [
            {"name": row.name, "shape": shape, "dtype": row.dtype, "equation": row.equation, "layer": row.layer,
             "replaceable": row.replaceable}
            for row, (_, shape, _, _) in zip(self._rows, self._cells(), strict=True)
        ]  # fmt: skip

    def view(self) -> View:
        """The table; one block stands for all."""
        from .views.page import View
        from .views.table import html_table, plain_text

        rows = [cells for cells in self._cells() if not re.match(r"blocks\.(?!0\.)", cells[0])]
        table = html_table(("name", "shape", "equation", ""), rows)
        note = "<p class=dim>blocks.0 stands for all blocks</p>"
        return View(
            "Activations", f"<h4>Activations</h4>{table}{note}", lambda: plain_text(repr(self)), records=self.records
        )


# TransformerLens's legacy spellings that are more than a prefix away.
_LEGACY = {"attn_scores": "scores"}


def canonical(name: str) -> str:
    """`blocks.3.attn.hook_pattern` and `blocks.3.attn.pattern` are one name."""
    parts = [part.removeprefix("hook_") for part in name.split(".")]
    return ".".join(_LEGACY.get(part, part) for part in parts)


def beyond(name: str, known: Iterable[str]) -> str:
    """The sentence for a layer that the model does not have, beginning with a space; empty where it is not that."""
    layer = re.match(r"blocks\.(\d+)\.", name)
    layers = [int(found[1]) for one in known if (found := re.match(r"blocks\.(\d+)\.", one))]
    return f" Layers are 0 to {max(layers)}." if layer and layers and int(layer[1]) > max(layers) else ""


def table(core: Any) -> Names:
    """The Names of an engine's model."""

    def row(id: int, name: str, kind: str, dims: list[tuple[str, int]], equation: str, editable: bool) -> Activation:
        fixed = tuple(str(n) if word == "1" else f"{word}={n}" for word, n in dims)
        shape = (*fixed, "query_pos", "key_pos") if kind == "pattern" else ("pos", *fixed)
        layer = re.match(r"blocks\.(\d+)\.", name)
        return Activation(name, shape, "float32", equation, editable, id, kind, int(layer[1]) if layer else None)

    return Names(row(*value) for value in core.values())
