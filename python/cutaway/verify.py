"""Recomputes stored fingerprints: the same file, ids and compute mode give the same bits on every machine."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from . import _core
from .cache import sha256_of
from .catalogue import entry_of, resolve
from .errors import ArgumentError
from .fingerprint import row_bytes


@dataclass(frozen=True)
class Check:
    """One stored fingerprint against one computed now."""

    model: str
    compute: str
    isa: str
    prompt_ids: tuple[int, ...]
    expected: str
    got: str

    @property
    def same(self) -> bool:
        return self.expected == self.got


def fingerprint(model: Any, ids: Sequence[int]) -> str:
    """BLAKE2b-128 of the ids (int32) and of every logits row (float32 [pos, d_vocab]), little-endian, each NaN as one
    pattern."""
    digest = hashlib.blake2b(np.asarray(ids, "<i4").tobytes(), digest_size=16)
    digest.update(row_bytes(model(list(ids))))
    return digest.hexdigest()


def stored() -> dict[str, Any]:
    """{model name: {"sha256": of the file, "entries": [{"prompt_ids", "compute", "fingerprint"}, ...]}}"""
    return dict(json.loads(files("cutaway").joinpath("data/fingerprints.json").read_text("utf-8")))


def locate(name_or_path: str) -> tuple[str, Path]:
    """The stored name and the file of a model; the file's hash is taken anew and must be the stored one."""
    known = stored()
    if entry_of(name_or_path) and name_or_path not in known:
        raise ArgumentError(f"There are no stored fingerprints for {name_or_path!r}. Stored: {_names(known)}.")
    path = resolve(name_or_path)
    if not path.is_file():
        raise ArgumentError(f"{path} is a folder; fingerprints are stored for single files: {_names(known)}.")
    sha256 = sha256_of(path)
    for name, record in known.items():
        if record["sha256"] == sha256:
            return name, path
    if name_or_path in known:
        raise ArgumentError(
            f"{path} has sha256 {sha256}, expected {known[name_or_path]['sha256']}: the file is damaged. "
            "Remove it; the next load fetches it again."
        )
    _core.Checkpoint(path)  # raises for what is no model at all, as load does
    raise ArgumentError(f"There are no stored fingerprints for a file with sha256 {sha256}. Stored: {_names(known)}.")


def checks(name: str, path: Path, isa: str | None = None, threads: int | None = None) -> Iterator[Check]:
    """Computes the stored fingerprints of one model, loading it once per compute mode."""
    import cutaway

    entries = stored()[name]["entries"]
    for compute in dict.fromkeys(entry["compute"] for entry in entries):
        model = cutaway.load(path, compute=compute, isa=isa, threads=threads)
        for entry in entries:
            if entry["compute"] == compute:
                got = fingerprint(model, entry["prompt_ids"])
                ids = tuple(entry["prompt_ids"])
                yield Check(name, compute, model.info()["isa"], ids, entry["fingerprint"], got)


def _names(known: dict[str, Any]) -> str:
    return ", ".join(known) or "none"
