"""Pack files that are damaged, foreign, or of another time are never believed: the model loads and nobody is told."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from pathlib import Path

from cutaway import _core, packs
from hypothesis import given
from hypothesis import strategies as st
from make_models import make_model
from pack_files import (  # noqa: F401 (the fixtures cache and file)
    IN_MEMORY,
    header_of,
    load,
    only,
    own_cache,
    own_file,
    room_of,
    until,
    write_at,
    written_out,
)


def assert_ignored(file: Path, pack: Path, want: bytes, why: object) -> None:
    """A load does without this pack file, and writes a sound one."""
    inode = pack.stat().st_ino if pack.exists() else 0
    assert load(file) == (str(pack), want), why
    assert pack.stat().st_ino != inode, why
    assert only(pack.parent) == pack
    kept = pack.stat().st_ino
    assert load(file) == (str(pack), want), why
    assert pack.stat().st_ino == kept, why


def test_a_damaged_header(file, cache):
    pack, want = load(file)
    pack = Path(pack)
    header = header_of(pack)
    for at in [*range(0, 24), *range(24, len(header), 61), len(header) - 1]:
        write_at(pack, at, bytes([header_of(pack)[at] ^ 0x10]) if at not in range(20, 24) else b"\x77")
        assert_ignored(file, pack, want, at)


def test_a_pack_file_of_another_length(file, cache):
    pack, want = load(file)
    pack = Path(pack)
    whole, room = pack.stat().st_size, room_of(pack)
    for size in (0, 1, 24, len(header_of(pack)) - 1, 4096, room, room + 1, whole - 4096, whole - 1, whole + 1):
        os.truncate(pack, size)
        assert_ignored(file, pack, want, size)


def test_a_pack_file_of_another_model_under_this_name(file, tmp_path, cache):
    pack, want = load(file)
    make_model(tmp_path / "other.gguf", "llama", "Q6_K", 5)
    other, _ = load(tmp_path / "other.gguf")
    shutil.move(other, pack)
    assert_ignored(file, Path(pack), want, "another model")


def rewritten(header: bytes, old: bytes, new: bytes) -> bytes:
    """A header with a part replaced and a checksum that fits."""
    assert header.count(old) == 1 and len(old) == len(new)
    body = header[:-32].replace(old, new)
    return body + hashlib.sha256(body).digest()


def test_tensors_that_are_not_the_models(file, cache):
    pack, want = load(file)
    header = header_of(Path(pack))
    name = b"blk.1.ffn_up.weight"
    write_at(Path(pack), 0, rewritten(header, name, b"blk.1.ffn_UP.weight"))
    assert_ignored(file, Path(pack), want, "a name")
    at = header.index(name) + len(name) + 4 + 4  # the type's length and the type; then rows
    write_at(Path(pack), 0, header[:at] + b"\x01" + header[at + 1 : -32] + hashlib.sha256(header).digest())
    assert_ignored(file, Path(pack), want, "a shape")


def test_a_pack_file_of_an_earlier_run_of_the_system(file, cache):
    """Without the word that it reached the disk it may have holes."""
    pack, want = load(file)
    pack = Path(pack)
    until(lambda: written_out(pack))
    boot = Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    write_at(pack, 0, rewritten(header_of(pack), boot, b"x" * len(boot)))
    inode = pack.stat().st_ino
    assert load(file) == (str(pack), want) and pack.stat().st_ino == inode
    write_at(pack, room_of(pack) - 1, b"\x00")
    assert_ignored(file, pack, want, "not known to be on disk")
    until(lambda: written_out(pack))
    write_at(pack, room_of(pack) - 1, b"\x00")  # of this run: good, and noted again
    inode = pack.stat().st_ino
    assert load(file) == (str(pack), want) and pack.stat().st_ino == inode
    until(lambda: written_out(pack))


def test_what_a_stopped_writer_left(file, cache):
    pack, want = load(file)
    os.rename(pack, pack + ".part")
    os.truncate(pack + ".part", 3 << 20)
    assert [row.state for row in packs.packs()] == ["unfinished"]
    assert load(file) == (pack, want) and only(cache) == Path(pack)


def test_a_writer_that_does_not_get_on_is_not_waited_for(file, cache):
    pack, want = load(file)
    os.remove(pack)
    with open(pack + ".part", "wb") as part:
        fcntl.flock(part, fcntl.LOCK_EX)
        began = time.monotonic()
        assert load(file) == (IN_MEMORY, want)
        assert 0.5 < time.monotonic() - began < 20
        assert packs.clear_packs() == (0, 0) and os.path.exists(pack + ".part")
    assert packs.clear_packs()[0] == 1 and not list(cache.iterdir())


@given(content=st.binary(max_size=200), magic=st.booleans())
def test_any_bytes(content, magic, tmp_path_factory):
    path = tmp_path_factory.mktemp("any") / "any.pack"
    path.write_bytes((b"cutaway pack\r\n\x1a\n\x01\0\0\0" if magic else b"") + content)
    assert _core.report_pack(os.fsencode(path)) == (b"", "damaged")
