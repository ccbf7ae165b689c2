"""The model catalogue: what can be loaded by name, and where a name or a path leads."""

import importlib.metadata
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .arguments import checked_arguments, described
from .cache import cache_dir, checked, record_of
from .catalogue_entries import ENTRIES, Entry
from .errors import ArgumentError, Error
from .fetch import fetch
from .hub_files import hub_name, named_by_address
from .nearest import did_you_mean, nearest
from .numbers import sized
from .views.table import Table

DEFAULT = ENTRIES[0].name


@dataclass(frozen=True)
class ModelRow:
    name: str
    size: int  # bytes of the model file
    licence: str
    source: str  # the wheels that hold it
    cached: bool
    path: str | None  # where the file lies, if it is on this machine


@checked_arguments
class ModelTable(Table[ModelRow]):
    """The catalogue as a table: iterate it, index it by number or name, show it, or take `.to_pandas()`."""

    title = "Models without an account"
    columns = ("name", "size", "licence", "source", "cached")

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            _entry(key)  # an unknown name raises, with the known ones
            return next(row for row in self if row.name == key)
        return super().__getitem__(key)

    def cells(self, row: ModelRow) -> tuple[str, ...]:
        return row.name, sized(row.size), row.licence, row.source, "yes" if row.cached else "no"

    def records(self) -> list[dict[str, Any]]:
        return [asdict(row) for row in self]


@checked_arguments
def models() -> ModelTable:
    """The models that `ca.load` knows by name. Nothing is fetched, and no large file is read."""
    rows = []
    for entry in ENTRIES:
        path = _at_hand(entry)
        where = str(path) if path else None
        rows.append(ModelRow(entry.name, entry.size, entry.licence, entry.source, path is not None, where))
    return ModelTable(rows)


def resolve(name_or_path: str | os.PathLike[str], progress: bool = True, tokenizer: bool = False) -> Path:
    """The absolute path of a model: a catalogue name (fetched on first use), a path that exists, or "org/name" of the
    Hugging Face Hub (fetched likewise; `cutaway.hub_files.HubName` has the forms). tokenizer: of a repository there
    only the tokenizer is wanted.

    Raises ca.ArgumentError for a name that is not known and a path that is not there; ca.Error where fetching fails.
    """
    text = os.fspath(name_or_path) if isinstance(name_or_path, (str, os.PathLike)) else None
    if not isinstance(text, str):
        raise ArgumentError(
            f"A model is a name of ca.models() or a path, as str or Path, got {described(name_or_path)}."
        )
    for entry in ENTRIES:
        if entry.name == text:
            return cached_path(entry) or fetch(entry, progress)
    if "://" in text:
        on_hub = named_by_address(text)
        what = f'its name on the hub is "{on_hub}".' if on_hub else "fetch the file, then give its path."
        raise ArgumentError(f"{text} is an address, and a model is a name or a path: {what}")
    path = Path(text).expanduser()
    if text and path.exists():
        return path.absolute()
    if isinstance(name_or_path, str) and (name := hub_name(text)):
        from . import hub

        try:
            return hub.fetch(name, progress, tokenizer)
        except Error as err:  # where the catalogue has a model of such a name, it is one that can be had
            known = [entry.name for entry in ENTRIES]
            near = nearest(name.repository.partition("/")[2], known, n=1, cutoff=0.9)
            raise type(err)(f"{err}{did_you_mean(map(repr, near))}") from err.__cause__
    if isinstance(name_or_path, os.PathLike) or os.sep in text or text.endswith((".gguf", ".safetensors")):
        raise ArgumentError(f"There is no file or folder {path.absolute()}.{near_path(path.absolute())}")
    raise _unknown(text)


def cached_path(entry: Entry) -> Path | None:
    """The entry's file on this machine, in the cache or in an installed wheel; hashed once, and remembered."""
    home = cache_dir() / "models"
    kept = home / entry.name / entry.file
    if kept.is_file():
        return kept if checked(record_of(kept), kept, entry.size, entry.sha256) else None
    inside = _installed(entry)
    if inside and checked(home / f"{entry.name}.installed", inside, entry.size, entry.sha256):
        return inside
    return None


def entry_of(name: str) -> Entry | None:
    """The catalogue entry of that name, if there is one."""
    return next((entry for entry in ENTRIES if entry.name == name), None)


def _entry(name: str) -> Entry:
    entry = entry_of(name)
    if entry is None:
        raise _unknown(name)
    return entry


def _unknown(name: str) -> ArgumentError:
    known = [entry.name for entry in ENTRIES]
    near = nearest(name, known, cutoff=0.4)
    near = near or [k for k in known if name and name.lower() in k]
    return ArgumentError(
        f"There is no model {name!r}.{did_you_mean(map(repr, near))} Known names: {', '.join(known)}; or give a path "
        'to a .gguf file or to a folder with config.json and safetensors, or "org/name" of the Hugging Face Hub.'
    )


def near_path(path: Path) -> str:
    """What may have been meant: a neighbour of that path, or the catalogue's own copy of a hub's "org/name"."""
    try:
        beside = [name for name in os.listdir(path.parent) if not name.startswith(".")]
    except OSError:
        beside = []
    near = [str(path.parent / name) for name in nearest(path.name, beside, cutoff=0.7)]
    near = near or nearest(path.name, [entry.name for entry in ENTRIES], n=1, cutoff=0.7)
    if near:
        return did_you_mean(map(repr, near))
    return (
        "" if path.parent.is_dir() else f" {path.parent} does not exist either; the working directory is {os.getcwd()}."
    )


def _at_hand(entry: Entry) -> Path | None:
    """Where the file lies, by its size alone."""
    kept = cache_dir() / "models" / entry.name / entry.file
    if kept.is_file() and kept.stat().st_size == entry.size:
        return kept
    return _installed(entry)


def _installed(entry: Entry) -> Path | None:
    """The file inside an installed wheel, for entries of one part."""
    wheel = entry.wheels[0]
    if len(entry.wheels) != 1 or wheel.part is None:
        return None
    try:
        distribution = importlib.metadata.distribution(wheel.project)
    except importlib.metadata.PackageNotFoundError:
        return None
    path = Path(str(distribution.locate_file(wheel.part))).absolute()
    return path if path.is_file() and path.stat().st_size == entry.size else None
