"""Pack files: weights as the engine lays them out, written to the cache by the first load of a model, mapped by later
ones. Processes that map the same one share its memory. Encodings that have a name (`ca.tokenizer`) leave theirs beside
them."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import _core
from .cache import cache_dir
from .errors import ArgumentError
from .numbers import sized
from .views.table import Table

LEAST = 4 << 20  # bytes of weights; smaller models are packed at each load, which takes no time
SETTLED = 2.0  # seconds that a model file must have been left alone: its times tell later changes from earlier ones

_ENCODING = ".tokenizer.pack"  # behind the name of an encoding

READY = "ready"
_MEANING = {
    READY: "is taken by the next load",
    "changed": "the model file has changed since",
    "gone": "the model file is no longer there",
    "other version": "written by a cutaway that lays them out otherwise",
    "damaged": "not a whole pack file",
    "unfinished": "being written, or left by a load that was stopped",
}


def packs_dir() -> Path:
    """Where pack files lie. Not created here."""
    return cache_dir() / "packs"


def folder_for(pack: bool | None) -> bytes:
    """The folder that a load uses, empty for none: `pack`, or what CUTAWAY_PACK says, or yes."""
    if pack is not None and not isinstance(pack, bool):
        raise ArgumentError(f"pack must be True, False or None, got {pack!r}.")
    if pack is None:
        said = os.environ.get("CUTAWAY_PACK", "")
        if said not in ("", "0", "1"):
            raise ArgumentError(f"CUTAWAY_PACK is {said!r}, expected 1 (keep pack files) or 0 (do not).")
        pack = said != "0"
    if not pack:
        return b""
    try:
        return os.fsencode(packs_dir())
    except RuntimeError:  # no home folder
        return b""


@dataclass(frozen=True)
class Pack:
    model: str | None  # the path that was loaded, or the name of an encoding; None where the file does not tell
    size: int  # bytes
    state: str  # "ready" | "changed" | "gone" | "other version" | "damaged" | "unfinished"
    path: str

    @property
    def meaning(self) -> str:
        return _MEANING[self.state]


class PackTable(Table[Pack]):
    """The pack files of the cache: iterate it, show it, or take `.to_pandas()`."""

    title = "Pack files"
    columns = ("model", "size", "state")

    def cells(self, row: Pack) -> tuple[str, ...]:
        note = row.state if row.state == READY else f"{row.state}: {row.meaning}"
        return row.model or Path(row.path).name, sized(row.size), note

    def records(self) -> list[dict[str, Any]]:
        return [asdict(row) for row in self]


def packs() -> PackTable:
    """What lies in the folder of pack files, by model."""
    rows = []
    for path in _files():
        try:
            size = path.stat().st_size
        except OSError:
            continue  # removed meanwhile
        model, state = _described(path)
        rows.append(Pack(model, size, state, str(path)))
    return PackTable(sorted(rows, key=lambda row: (row.model or "~", row.path)))


def _described(path: Path) -> tuple[str | None, str]:
    """(what was packed, the state)"""
    if path.suffix == ".part":
        return None, "unfinished"
    if path.name.endswith(_ENCODING):
        return path.name.removesuffix(_ENCODING), _core.report_rank_pack(os.fsencode(path))
    model, state = _core.report_pack(os.fsencode(path))
    return os.fsdecode(model) or None, state


def clear_packs() -> tuple[int, int]:
    """Removes every pack file: (how many, their bytes). Loaded models keep what they have mapped; the next load of a
    model packs it again. One that is being written stays."""
    n = size = 0
    for row in packs():
        if _core.remove_pack(os.fsencode(row.path)):
            n, size = n + 1, size + row.size
    return n, size


def _files() -> list[Path]:
    try:
        return sorted(path for path in packs_dir().iterdir() if path.name.endswith((".pack", ".pack.part")))
    except OSError:
        return []
