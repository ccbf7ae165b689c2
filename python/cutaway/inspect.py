"""What is in a model file: `inspect_file` shows header, metadata and tensors, checked, and builds no model."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _core
from .arguments import checked_arguments, described
from .errors import ArgumentError
from .views.shown import Shown

if TYPE_CHECKING:
    from .views.page import View

_HTML_ROWS = 250  # of each table: a page stays below 200 KB
_PLAIN_KEYS = 100


class TensorEntry(NamedTuple):
    """One tensor of a file, as its directory describes it."""

    name: str
    shape: tuple[int, ...]  # outermost first, as NumPy prints it
    type: str  # as ggml or safetensors spells it: "F32", "Q4_1", "F8_E4M3"
    offset: int  # of its first byte in the file
    bytes: int
    file: str  # absolute path of the file that holds it


@checked_arguments
@dataclass(frozen=True, repr=False, eq=False)
class FileInfo(Shown):
    """The result of `inspect_file`.

    path:      absolute path of the file or folder
    format:    "gguf" or "safetensors"
    version:   of the GGUF format; 0 for safetensors
    metadata:  key -> value, in file order: GGUF keys, `__metadata__` of a safetensors file, or the keys of a folder's
               config.json with nested objects flattened to "a.b". Values are bool, int, float, str (bytes that are not
               UTF-8 as with errors="surrogateescape"), list of str, or 1-D arrays of the type in the file; in
               config.json also None, {} and, for arrays that are not scalars of one kind, nested lists
    types:     key -> the file's own name of the value's type: "u32", "array[f32]", "string"
    tensors:   list of TensorEntry, in file order
    files:     absolute paths of the files that hold tensors
    """

    path: str
    format: str
    version: int
    metadata: dict[str, Any]
    types: dict[str, str]
    tensors: list[TensorEntry]
    files: list[str]

    def _summary(self) -> str:
        version = f" v{self.version}" if self.version else ""
        size = sum(t.bytes for t in self.tensors)
        types = ", ".join(f"{n:,} {kind}" for kind, n in Counter(t.type for t in self.tensors).most_common())
        parts = [
            f"{self.format}{version}",
            _plural(len(self.metadata), "key"),
            _plural(len(self.tensors), "tensor") + (f" ({types})" if types else ""),
            f"{size:,} bytes of weights",
        ]
        if len(self.files) > 1:
            parts.append(_plural(len(self.files), "part" if self.format == "gguf" else "file"))
        return "; ".join(parts)

    def __repr__(self) -> str:
        keys = [_printable(key) for key in list(self.metadata)[:_PLAIN_KEYS]]
        width = max((len(key) for key in keys), default=0)
        lines = [_printable(self.path), self._summary()]
        lines += [
            f"  {key:<{width}}  {_short(value, 80)}" for key, value in zip(keys, self.metadata.values(), strict=False)
        ]
        if len(self.metadata) > len(keys):
            lines.append(f"  ... {len(self.metadata) - len(keys):,} more keys")
        tensors = [f"  {_printable(t.name)} {list(t.shape)} {t.type} at {t.offset:,}" for t in self.tensors]
        if len(tensors) > 12:
            tensors[6:-5] = [f"  ... {len(tensors) - 11:,} more tensors"]
        return "\n".join(lines + tensors)

    def records(self) -> list[dict[str, Any]]:
        """One per tensor: the fields of TensorEntry."""
        return [tensor._asdict() for tensor in self.tensors]

    def view(self) -> View:
        """Metadata and tensors, each folded where it is long."""
        from .views.page import View, escape
        from .views.table import plain_text

        keys: list[tuple[str, ...]] = [
            (key, self.types[key], _short(value, 80))
            for key, value in zip(list(self.metadata)[:_HTML_ROWS], self.metadata.values(), strict=False)
        ]
        tensors: list[tuple[str, ...]] = [
            (t.name, " × ".join(map(str, t.shape)) or "scalar", t.type, f"{t.offset:,}", f"{t.bytes:,}")
            for t in self.tensors[:_HTML_ROWS]
        ]
        body = (
            f"<h4>{escape(_cell(self.path))}</h4><p>{escape(_cell(self._summary()))}</p>"
            + _table("metadata", ("key", "type", "value"), keys, len(self.metadata))
            + _table("tensors", ("name", "shape", "type", "offset", "bytes"), tensors, len(self.tensors))
        )
        return View(_cell(self.path), body, lambda: plain_text(repr(self)), records=self.records)


@checked_arguments
def inspect_file(path: str | os.PathLike[str]) -> FileInfo:
    """Opens a GGUF file, a safetensors file or a folder with config.json and safetensors, checks the whole header and
    returns what it says. Weights are not read. Of a GGUF model in parts, name-00001-of-00003.gguf, any part opens all.

    A GGUF file may lack keys, tensors and an architecture, and hold tensors of any ggml type: only `load` asks for
    more. Raises FormatError, naming the file and the place, for anything that is not sound.
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise ArgumentError(f"inspect_file takes a path, as str or Path, got {described(path)}.")
    checkpoint = _core.Checkpoint(path)
    files = checkpoint.files
    metadata, types = checkpoint.metadata()
    return FileInfo(
        path=checkpoint.path,
        format=checkpoint.format,
        version=checkpoint.version,
        metadata=metadata,
        types=types,
        tensors=[
            TensorEntry(name, shape, kind, offset, size, files[index])
            for name, shape, kind, offset, size, index in checkpoint.tensors()
        ],
        files=files,
    )


def _plural(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _printable(text: str) -> str:
    """Escapes surrogates and control characters, so that a file cannot upset a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def _short(value: Any, limit: int) -> str:
    if isinstance(value, str):
        text = "'" + _printable(value[:limit]) + "'"
    elif hasattr(value, "__len__") and not isinstance(value, dict):
        text = "[" + ", ".join(_short(v, 24) for v in value[:6]) + (", ...]" if len(value) > 6 else "]")
        text = f"{text} ({len(value):,})" if len(value) > 6 else text
    else:
        text = str(value)
    return text if len(text) <= limit + 2 else text[: limit - 3] + "..."


def _cell(text: str) -> str:
    return _printable(text[:120])


def _table(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]], total: int) -> str:
    if not rows:
        return ""
    from .views.table import html_table

    table = html_table(head, [[_cell(cell) for cell in row] for row in rows])
    more = f"<p class=dim>{total - len(rows):,} more are not shown</p>" if total > len(rows) else ""
    return f"<details{' open' if total <= 40 else ''}><summary>{title} ({total:,})</summary>{table}{more}</details>"
