"""Broken GGUF files and files of other kinds: each is refused with a FormatError that names the file and the fault."""

from __future__ import annotations

import itertools
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import cutaway as ca
import pytest
from hostile import refused, refused_within
from make_files import VALUE_TYPES, gguf_bytes, gguf_key, gguf_string, gguf_tensor, pad

F32, Q4_1 = 0, 3
KEY = gguf_key("k", "u8", 1)


def u32(n: int) -> bytes:
    return struct.pack("<I", n)


def u64(n: int) -> bytes:
    return struct.pack("<Q", n)


def head(n_tensors: int = 0, n_keys: int = 0, version: int = 3) -> bytes:
    return b"GGUF" + u32(version) + u64(n_tensors) + u64(n_keys)


def key(name: str, kind: str, payload: bytes) -> bytes:
    return head(0, 1) + gguf_string(name) + u32(VALUE_TYPES.index(kind)) + payload


def array(kind: int, n: int, payload: bytes = b"") -> bytes:
    return key("k", "array", u32(kind) + u64(n) + payload)


def tensor(shape: Sequence[int], kind: int = F32, offset: int = 0, data: int = 64, name: str | bytes = "t") -> bytes:
    return pad(head(1) + gguf_tensor(name, shape, kind, offset), 32) + bytes(data)


def two(
    second: int, data: int = 128, shape: Sequence[int] = (8,), name: str = "b", alignment: int | None = None
) -> bytes:
    keys = b"" if alignment is None else gguf_key("general.alignment", "u32", alignment)
    directory = gguf_tensor("a", (10,), F32, 0) + gguf_tensor(name, shape, F32, second)
    return pad(head(2, int(alignment is not None)) + keys + directory, alignment or 32) + bytes(data)


def alignment(kind: str, value: object) -> bytes:
    return pad(head(1, 1) + gguf_key("general.alignment", kind, value) + gguf_tensor("t", (1,), F32, 0), 64) + bytes(64)


LEFT = "left in the file"
FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "4 bytes expected, 0 left"),
    "magic only": (b"GGUF", "4 bytes expected, 0 left"),
    "half a magic": (b"GG", "4 bytes expected, 2 left"),
    "another magic": (b"GGUG" + head()[4:], "the magic is 'GGUG', expected 'GGUF'"),
    "version 0": (head(version=0), "GGUF version 0, expected 2 or 3"),
    "version 1": (head(version=1), "GGUF version 1, expected 2 or 3; version 1 was withdrawn"),
    "version 4": (head(version=4), "GGUF version 4, expected 2 or 3"),
    "big-endian": (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian, expected a little-endian"),
    "no counts": (head()[:8], "8 bytes expected, 0 left"),
    "keys that are not there": (head(0, 1), "claims 1 keys of at least 13 bytes each, 0 bytes are left"),
    "2^64 - 1 keys": (head(0, 2**64 - 1) + KEY, "claims 18446744073709551615 keys"),
    "keys that wrap to 0": (head(0, 2**64 // 8) + KEY, "claims 2305843009213693952 keys"),
    "2^63 tensors": (head(2**63) + KEY, "claims 9223372036854775808 tensors"),
    "one key too many": (head(0, 2) + KEY * 2 + KEY, "key 'k' is there twice"),
    "duplicate key": (head(0, 2) + KEY + gguf_key("k", "string", "x"), "key 'k' is there twice"),
    "empty key": (key("", "u8", b"\1"), "the key is empty"),
    "key length 2^64 - 1": (head(0, 1) + u64(2**64 - 1) + bytes(20), LEFT),
    "key length 2^63": (head(0, 1) + u64(2**63) + bytes(20), LEFT),
    "key of 65,536 bytes": (key("k" * 65536, "u8", b"\1"), "key of 65536 bytes, expected at most 65535"),
    "key not UTF-8": (head(0, 1) + gguf_key(b"k\xff", "u8", 1), r"the key 'k\\xff' is not valid UTF-8"),
    "key an overlong form": (head(0, 1) + gguf_key(b"\xc0\x80", "u8", 1), "not valid UTF-8"),
    "value type 13": (head(0, 1) + gguf_string("k") + u32(13) + bytes(8), "key 'k' .* value type 13, expected 0 to 12"),
    "value type 2^32 - 1": (head(0, 1) + gguf_string("k") + u32(2**32 - 1) + bytes(8), "value type 4294967295"),
    "bool 2": (key("k", "bool", b"\2"), "key 'k' .*a bool holds 2, expected 0 or 1"),
    "u64 cut": (key("k", "u64", bytes(7)), "key 'k' .*8 bytes expected, 7 left"),
    "string too long": (key("k", "string", u64(5) + b"abcd"), "claims 5 bytes of at least 1 bytes each, 4 bytes are"),
    "string of 2^64 - 1": (key("k", "string", u64(2**64 - 1)), "claims 18446744073709551615 bytes"),
    "array of 2^61 u64": (array(10, 2**61, bytes(64)), "claims 2305843009213693952 elements of at least 8 bytes each"),
    "array of 2^64 - 1 strings": (array(8, 2**64 - 1, bytes(64)), "claims 18446744073709551615 elements"),
    "array one string short": (array(8, 2, gguf_string("a")), LEFT),
    "array string too long": (array(8, 2, gguf_string("a") + u64(9) + b"b"), LEFT),
    "array of arrays": (array(9, 1, u32(0) + u64(1) + b"\1"), "key 'k' .*an array of arrays; nested arrays"),
    "array of type 99": (array(99, 1, bytes(8)), "value type 99"),
    "array bool 255": (array(7, 3, b"\0\1\xff"), "a bool holds 255"),
    "alignment 0": (alignment("u32", 0), "'general.alignment' is 0, expected a power of two"),
    "alignment 33": (alignment("u32", 33), "'general.alignment' is 33, expected a power of two"),
    "alignment 2^32 - 1": (alignment("u32", 2**32 - 1), "expected a power of two"),
    "alignment a u64": (alignment("u64", 32), "'general.alignment' has the type u64, expected u32"),
    "alignment an i32": (alignment("i32", 32), "has the type i32, expected u32"),
    "alignment a string": (alignment("string", "32"), "has the type string, expected u32"),
    "alignment an array": (alignment("array[u32]", [32]), r"has the type array\[u32\], expected u32"),
    "alignment 2^31": (alignment("u32", 2**31), "of 2147483652 bytes are missing"),
    "tensor name empty": (tensor((1,), name=""), "tensor number 0 .*the tensor name is empty"),
    "tensor name not UTF-8": (tensor((1,), name=b"\xed\xa0\x80"), "not valid UTF-8"),
    "tensor name length": (head(1) + u64(2**63) + bytes(64), LEFT),
    "no dimensions": (tensor(()), "tensor 't' .*0 dimensions, expected 1 to 4"),
    "5 dimensions": (tensor((1, 1, 1, 1, 1)), "5 dimensions, expected 1 to 4"),
    "2^32 - 1 dimensions": (head(1) + gguf_string("t") + u32(2**32 - 1) + bytes(64), "4294967295 dimensions"),
    "dimension 0": (tensor((4, 0)), "tensor 't' .*dimension 0 is 0, expected at least 1"),
    "outer dimension 0": (tensor((0, 4)), "dimension 1 is 0"),
    "dimension 2^63": (tensor((2**63,)), "dimension 0 is 9223372036854775808: the tensor would have more than 2\\^63"),
    "dimension 2^64 - 1": (tensor((2**64 - 1,)), "more than 2\\^63 elements"),
    "product 2^64": (tensor((2**32, 2**32)), "dimension 1 is 4294967296: the tensor would have more than 2\\^63"),
    "product that wraps to 4": (tensor((2**62 + 1, 4)), "more than 2\\^63 elements"),
    "four dimensions of 2^16": (tensor((2**16,) * 4), "more than 2\\^63 elements"),
    "bytes that wrap": (tensor((2**62,)), "4611686018427387904 blocks of 4 bytes .F32. cannot fit in any file"),
    "data beyond any file": (tensor((2**40, 2**9)), "562949953421312 blocks of 4 bytes .F32. cannot fit in any file"),
    "data that adds up beyond any file": (
        head(2) + gguf_tensor("a", (2**47,), F32, 0) + gguf_tensor("b", (2**47,), F32, 2**49),
        r"tensor 'b': ends at byte \d{16}; no file is that long",
    ),
    "ggml type 4": (tensor((32,), 4), "ggml type 4 is not known; known are F32, F16"),
    "ggml type 31": (tensor((32,), 31), "ggml type 31 is not known"),
    "ggml type 2^32 - 1": (tensor((32,), 2**32 - 1), "ggml type 4294967295 is not known"),
    "half a block": (tensor((2, 16), Q4_1), "rows of 16 elements, but type Q4_1 has blocks of 32"),
    "rows not whole blocks": (tensor((32, 33), Q4_1), "rows of 33 elements"),
    "data missing": (
        tensor((17,)),
        "the file is cut short: 4 of 132 bytes are missing; fetch it again$",
    ),
    "no data": (tensor((1,), data=0), "the file is cut short: .* are missing; fetch it again"),
    "first offset not 0": (tensor((1,), offset=32), "offset 32, expected 0: tensors must lie in order, without a gap"),
    "offset 2^64 - 1": (tensor((1,), offset=2**64 - 1), "is not a multiple of the alignment 32"),
    "offset 2^64 - 32": (tensor((1,), offset=2**64 - 32), "offset 18446744073709551584, expected 0"),
    "second unaligned": (two(40), "tensor 'b': offset 40 is not a multiple of the alignment 32"),
    "second after a gap": (two(96), "tensor 'b': offset 96, expected 64: .* without a gap"),
    "second over the first": (two(32), "tensor 'b': offset 32, expected 64: .* without overlap"),
    "both at 0": (two(0), "offset 0, expected 64"),
    "second of the first's name": (two(64, name="a"), "tensor 'a' is there twice"),
    "second cut": (two(64, data=95), "the file is cut short: 1 of 192 bytes are missing"),
    "alignment 8, place of 32": (two(64, alignment=8), "offset 64, expected 40"),
}


@pytest.mark.parametrize("case", FILES)
def test_file(tmp_path: Path, case: str) -> None:
    content, message = FILES[case]
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    refused_within(0.1, path, message)


def test_the_table_starts_from_sound_files(tmp_path: Path) -> None:
    """Without its fault each kind of file opens."""
    path = tmp_path / "m.gguf"
    sound = [head(), key("k", "u8", b"\1"), array(0, 2, b"\1\2"), tensor((1,)), two(64), two(40, alignment=8)]
    for content in [
        *sound,
        alignment("u32", 64),
        tensor((2, 32), Q4_1),
        tensor((1, 1, 1, 1)),
        key("k" * 65535, "u8", b"\1"),
    ]:
        path.write_bytes(content)
        ca.inspect_file(path)


SMALL = gguf_bytes(
    {
        "general.architecture": ("string", "llama"),
        "general.alignment": ("u32", 32),
        "a": ("array[string]", ["x", "", "日本"]),
        "b": ("array[f32]", [1.0, -1.0]),
        "c": ("array[bool]", [True, False]),
        "d": ("i64", -1),
        "e": ("bool", True),
    },
    [("w", (2, 32), "Q4_1", bytes(40)), ("v", (3, 1, 2), "F16", bytes(12))],
)


def test_truncated_at_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    needed = len(SMALL) - 20  # what follows is the padding of the last tensor
    for size in range(len(SMALL) + 1):
        path.write_bytes(SMALL[:size])
        if size < needed:
            refused(path, ".")
        else:
            assert len(ca.inspect_file(path).tensors) == 2


def test_every_bit_of_the_header_flipped(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    header = SMALL.index(bytes(40))
    accepted = 0
    for bit in range(header * 8):
        flipped = bytearray(SMALL)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            ca.inspect_file(path)
            accepted += 1
        except ca.FormatError as error:
            assert str(error).startswith(f"{path}: ")
    assert 0 < accepted < header * 4  # letters of names and values


@pytest.mark.parametrize(("n", "seconds"), [(50_000, 0.1), (500_000, 2)])
def test_many_keys_are_refused_in_time(tmp_path: Path, n: int, seconds: float) -> None:
    keys = b"".join(gguf_key(f"{i:06}", "u8", 1) for i in range(n))
    path = tmp_path / "m.gguf"
    path.write_bytes(head(0, n + 1) + keys + gguf_key("000000", "u8", 1))
    refused_within(seconds, path, "key '000000' is there twice")


@pytest.mark.parametrize(("n", "seconds"), [(14_000, 0.1), (140_000, 2)])
def test_many_tensors_are_refused_in_time(tmp_path: Path, n: int, seconds: float) -> None:
    entries = b"".join(gguf_tensor(f"{i:06}", (32,), 24, 32 * i) for i in range(n))
    path = tmp_path / "m.gguf"
    path.write_bytes(pad(head(n) + entries, 32) + bytes(32 * (n - 1)))
    refused_within(seconds, path, "the file is cut short: 32 of ")


def test_many_strings_are_refused_in_time(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(array(8, 1_300_000, bytes(8 * 1_299_999) + bytes(7)))
    refused_within(2, path, "claims 1300000 elements of at least 8 bytes each, 10399999 bytes are left")
    path.write_bytes(array(8, 1_300_000, bytes(8 * 1_299_999) + u64(1)))
    refused_within(2, path, "claims 1 bytes of at least 1 bytes each, 0 bytes are left")


def costly_file(what: str) -> bytes:
    """Sound files of a few MB whose every byte becomes as many bytes as it can in memory."""
    letters = [chr(c) for c in range(33, 127)]
    names = ["".join(name) for name in itertools.islice(itertools.product(letters, repeat=3), 300_000)]
    if what == "keys":
        return head(0, len(names)) + b"".join(gguf_key(name, "u8", 1) for name in names)
    if what == "empty arrays":
        return head(0, len(names)) + b"".join(gguf_key(name, "array[u8]", []) for name in names)
    if what == "bytes":
        return array(0, 4_000_000, bytes(4_000_000))
    if what == "strings":
        return array(8, len(names), b"".join(gguf_string(name[:2]) for name in names))
    entries = b"".join(gguf_tensor(name, (1,), 24, i) for i, name in enumerate(names[:100_000]))
    return head(100_000, 1) + gguf_key("general.alignment", "u32", 1) + entries + bytes(100_000)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("what", ["keys", "empty arrays", "bytes", "strings", "tensors"])
def test_memory_is_at_most_16_times_the_header(tmp_path: Path, what: str) -> None:
    """With all the Python objects of the result; tests/cpp/test_hostile_format.cpp bounds the engine alone."""
    path = tmp_path / "m.gguf"
    path.write_bytes(costly_file(what))
    program = """
import sys, cutaway as ca
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
ca.inspect_file(sys.argv[2])
before = peak()
info = ca.inspect_file(sys.argv[1])
print(peak() - before)
"""
    small = tmp_path / "small.gguf"
    small.write_bytes(SMALL)
    run = subprocess.run([sys.executable, "-c", program, path, small], capture_output=True, text=True, check=True)
    assert 0 < int(run.stdout) <= 16 * path.stat().st_size + (16 << 20)


STRANGERS = {
    "a zip archive": b"PK\x03\x04" + bytes(20),
    "a Python pickle": b"\x80\x02}q\x00.",
    "a PDF": b"%PDF-1.7\n",
    "a gzip archive": b"\x1f\x8b\x08\x00",
    "an HDF5 file": b"\x89HDF\r\n\x1a\n",
    "a git-lfs pointer": b"version https://git-lfs.github.com/spec/v1\n",
    "a web page": b"<!DOCTYPE html><html>",
    "a GGML file from before GGUF": b"tjgg\1\0\0\0",
    "JSON": b'{"a": 1}',
}


@pytest.mark.parametrize("what", STRANGERS)
def test_files_of_other_kinds(tmp_path: Path, what: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(STRANGERS[what])
    refused(path, f"this looks like {what}.*expected a GGUF file")


def test_paths_that_are_no_model_file(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello, world\n")
    refused(tmp_path / "notes.txt", r"not a model file: it starts with 'hello, world\\x0a'; expected a GGUF file")
    (tmp_path / "nothing").write_bytes(b"")
    refused(tmp_path / "nothing", "not a model file: it is empty; expected a GGUF file")
    refused(tmp_path / "absent.gguf", "no such file or folder; expected the path of a GGUF file")
    refused(tmp_path / "notes.txt" / "x", "no such file or folder")
    refused(tmp_path / ("x" * 300), "cannot be opened: File name too long")
    os.mkfifo(tmp_path / "pipe.gguf")
    refused(tmp_path / "pipe.gguf", "is not a regular file")
    (tmp_path / "loop").symlink_to("loop")
    refused(tmp_path / "loop", "cannot be opened: Too many levels of symbolic links")
    with pytest.raises(ca.FormatError, match="no such file"):
        ca.inspect_file("")
    with pytest.raises(ca.FormatError, match="zero byte"):
        ca.inspect_file("a\0b")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(head())
    path.chmod(0)
    refused(path, "cannot be opened: Permission denied")


def test_messages_can_be_shown_whatever_the_bytes_are(tmp_path: Path) -> None:
    path = tmp_path / b"\xff\x1b.gguf".decode("utf-8", "surrogateescape")
    path.write_bytes(head(0, 1) + gguf_key(b"\xff\x1b[31m" * 300, "u8", 1))
    with pytest.raises(ca.FormatError) as error:
        ca.inspect_file(path)
    message = str(error.value)
    assert r"\xff\x1b[31m" in message and message.isprintable() and len(message) < 1000


def test_file_that_shrinks_and_grows_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    content = head(0, 2) + KEY + gguf_key("s", "array[string]", ["some text"] * 20_000)
    path.write_bytes(content)
    done = threading.Event()

    def resize() -> None:
        while not done.is_set():
            os.truncate(path, len(content) // 3)
            path.write_bytes(content)

    thread = threading.Thread(target=resize)
    thread.start()
    outcomes = set()
    try:
        for _ in range(300):
            try:
                outcomes.add(len(ca.inspect_file(path).metadata))
            except ca.FormatError as error:
                assert str(error).startswith(f"{path}: ")
                outcomes.add("refused")
    finally:
        done.set()
        thread.join()
    assert "refused" in outcomes and outcomes <= {2, "refused"}
