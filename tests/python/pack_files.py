"""What tests of pack files share: a cache of their own, a model file, what a load used, and where things lie in a file."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from pathlib import Path

import cutaway as ca
import pytest
from cutaway import packs
from make_models import make_model
from pack_process import IDS

IN_MEMORY = None


@pytest.fixture(name="cache")
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, where small models and new files get pack files, too."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("CUTAWAY_CACHE", str(folder))
    monkeypatch.setattr(packs, "LEAST", 0)
    monkeypatch.setattr(packs, "SETTLED", 0.0)
    return folder / "packs"


@pytest.fixture(name="file")
def own_file(tmp_path: Path) -> Path:
    """A model file that the test may change."""
    make_model(tmp_path / "m.gguf", "llama", "Q4_K", 5)
    return tmp_path / "m.gguf"


def load(path: Path, **keywords) -> tuple[str | None, bytes]:
    """(the pack file in use, the bits of the logits)"""
    model = ca.load(path, **{"pack": True, **keywords})
    return model.info()["pack"], model(IDS).tobytes()


def in_memory(path: Path) -> bytes:
    pack, logits = load(path, pack=False)
    assert pack is IN_MEMORY
    return logits


def only(folder: Path) -> Path:
    """The one file of the folder."""
    (path,) = folder.iterdir()
    return path


def header_of(pack: Path) -> bytes:
    with open(pack, "rb") as opened:
        (length,) = struct.unpack("<I", opened.read(24)[20:])
        opened.seek(0)
        return opened.read(length)


def room_of(pack: Path) -> int:
    """Where the weights begin."""
    return -(-(len(header_of(pack)) + 1) // (2 << 20)) * (2 << 20)


def write_at(path: Path, offset: int, content: bytes) -> None:
    with open(path, "r+b") as opened:
        opened.seek(offset)
        opened.write(content)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def written_out(pack: Path) -> bool:
    """Is the whole file known to be on disk? The byte before the weights says so."""
    with open(pack, "rb") as opened:
        opened.seek(room_of(pack) - 1)
        return opened.read(1) == b"\x01"
