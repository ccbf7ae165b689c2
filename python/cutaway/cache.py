"""The folder where models are kept: where it is, who may write to it now, and which files in it were checked."""

import contextlib
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from .errors import Error
from .numbers import sized

CHUNK = 1 << 20  # bytes


def cache_dir() -> Path:
    """CUTAWAY_CACHE, else $XDG_CACHE_HOME/cutaway, else ~/.cache/cutaway. Not created here."""
    if own := os.environ.get("CUTAWAY_CACHE"):
        return Path(own).expanduser().absolute()
    if (xdg := os.environ.get("XDG_CACHE_HOME")) and os.path.isabs(xdg):  # the XDG specification ignores relative ones
        return Path(xdg) / "cutaway"
    return Path.home() / ".cache" / "cutaway"


def models_dir() -> Path:
    """The models' folder in the cache, created when it is first needed."""
    folder = cache_dir() / "models"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise Error(
            f"The model cache {folder} cannot be created: {err.strerror or err}. "
            "Set CUTAWAY_CACHE to a folder that you can write to."
        ) from None
    return folder


def sha256_of(path: Path, advance: Callable[[int], object] | None = None) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
            if advance:
                advance(len(block))
    return digest.hexdigest()


def record_of(path: Path) -> Path:
    """Where the hash of a cached file is remembered."""
    return path.with_name(f"{path.name}.checked")


def remember(record: Path, path: Path, sha256: str) -> None:
    """Notes that `path`, as it now is, has this hash. A cache that cannot be written only costs the next start time."""
    stat = path.stat()
    note = {"path": str(path), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": sha256}
    with contextlib.suppress(OSError):
        record.parent.mkdir(parents=True, exist_ok=True)
        draft = record.with_name(f"{record.name}.{os.getpid()}")
        draft.write_text(json.dumps(note))
        os.replace(draft, record)


def remembered(record: Path, path: Path, sha256: str) -> bool:
    """Was this very file (path, size, modification time) found to have this hash before?"""
    try:
        note, stat = json.loads(record.read_text()), path.stat()
    except (OSError, ValueError):
        return False
    return note == {"path": str(path), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": sha256}


def checked(record: Path, path: Path, size: int, sha256: str) -> bool:
    """Is the file at `path` the expected one? Hashes it when that was not done before, and remembers."""
    if remembered(record, path, sha256):
        return True
    if not path.is_file() or path.stat().st_size != size or sha256_of(path) != sha256:
        return False
    remember(record, path, sha256)
    return True


def require_space(folder: Path, needed: int, what: str) -> None:
    if shutil.disk_usage(folder).free < needed:
        raise Error(more_room(what, folder, needed))


def more_room(what: str, folder: Path, needed: int) -> str:
    """What to do where the disk of `folder` is too small."""
    return (
        f"{what} needs {sized(needed)} of free space in {folder}, {sized(shutil.disk_usage(folder).free)} are free. "
        "Make room, or set CUTAWAY_CACHE to a folder on a larger disk."
    )


@contextlib.contextmanager
def locked(path: Path, waiting: Callable[[], object]) -> Iterator[None]:
    """Holds the lock file `path`; the system frees it when the process dies. `waiting()` is called once if another
    process has it."""
    try:
        file = open(path, "a+b")  # noqa: SIM115 - closed by the `with` below
    except OSError as err:
        raise Error(
            f"The model cache {path.parent} cannot be written: {err.strerror or err}. "
            "Set CUTAWAY_CACHE to a folder that you can write to."
        ) from None
    with file:
        told = False
        while not _try_lock(file):
            if not told:
                waiting()
                told = True
            time.sleep(0.1)
        yield


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: BinaryIO) -> bool:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(file: BinaryIO) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without flock, such as some network ones: POSIX locks may still work
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                return False
        return True
