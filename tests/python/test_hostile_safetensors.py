"""Broken safetensors files: each is refused with a FormatError that names the file and what is wrong."""

from __future__ import annotations

import struct
from pathlib import Path

import cutaway as ca
import pytest
from hostile import refused, refused_within
from make_files import safetensors_bytes, safetensors_from_header

EIGHT = bytes(8)


def entry(dtype: str = "F32", shape: str = "[2]", offsets: str = "[0,8]", name: str = "w") -> str:
    return f'"{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}'


def header(*entries: str) -> bytes:
    return ("{" + ",".join(entries) + "}").encode()


# what is wrong: (header, data, part of the message)
HEADERS: dict[str, tuple[bytes, bytes, str]] = {
    "unknown dtype": (header(entry("F12")), EIGHT, "tensor 'w': dtype 'F12' is not known; known are BOOL, .*F32"),
    "lower-case dtype": (header(entry("f32")), EIGHT, "dtype 'f32' is not known"),
    "dtype is a number": (b'{"w":{"dtype":1}}', b"", "found a number, expected a string"),
    "no dtype": (b'{"w":{"shape":[2],"data_offsets":[0,8]}}', EIGHT, "tensor 'w': has no dtype"),
    "no shape": (b'{"w":{"dtype":"F32","data_offsets":[0,8]}}', EIGHT, "tensor 'w': has no shape"),
    "no offsets": (b'{"w":{"dtype":"F32","shape":[2]}}', EIGHT, "tensor 'w': has 0 data_offsets"),
    "one offset": (header(entry(offsets="[0]")), EIGHT, "has 1 data_offsets"),
    "three offsets": (header(entry(offsets="[0,4,8]")), EIGHT, "more than two data_offsets"),
    "unknown member": (b'{"w":{"strides":[1]}}', b"", "the member 'strides' is not understood"),
    "member twice": (b'{"w":{"dtype":"F32","dtype":"F32"}}', b"", "'dtype' twice"),
    "tensor twice": (header(entry(), entry()), EIGHT, "'w' twice"),
    "tensor twice by escape": (header(entry(), entry(name="\\u0077")), EIGHT, "'w' twice"),
    "empty name": (header(entry(name="")), EIGHT, "a tensor's name is empty"),
    "tensor is a list": (b'{"w":[]}', b"", "found an array, expected an object"),
    "header is a list": (b"[]", b"", "does not begin with '{'"),
    "space before the header": (b" {}", b"", "does not begin with '{'"),
    "empty header": (b"", b"", "does not begin with '{'"),
    "negative dimension": (header(entry(shape="[-2]")), EIGHT, "a dimension is -2, expected an integer"),
    "fraction of a dimension": (header(entry(shape="[2.0]")), EIGHT, "a dimension is 2.0, expected an integer"),
    "dimension of 2^63": (header(entry(shape="[9223372036854775808]")), EIGHT, "dimension 9223372036854775808"),
    "dimension of 2^64": (header(entry(shape="[18446744073709551616]")), EIGHT, "a dimension is 18446744073709551616"),
    "dimension null": (header(entry(shape="[null]")), EIGHT, "a dimension is null"),
    "shape is a number": (header(entry(shape="2")), EIGHT, "found a number, expected an array"),
    "33 dimensions": (header(entry(shape=str([1] * 33))), EIGHT, "more than 32 dimensions"),
    "product overflows": (header(entry(shape="[4294967296,4294967296,4294967296]")), EIGHT, "more than 2\\^64 bits"),
    "product wraps to fit": (header(entry(shape="[4611686018427387906]")), EIGHT, "more than 2\\^64 bits"),
    "too few bytes": (header(entry(shape="[3]")), EIGHT, r"takes 12 bytes of F32, but data_offsets \[0, 8\] hold 8"),
    "too many bytes": (header(entry(shape="[1]")), EIGHT, "takes 4 bytes of F32"),
    "no bytes for something": (header(entry(offsets="[0,0]")), b"", "takes 8 bytes of F32"),
    "bytes for nothing": (header(entry(shape="[0]")), EIGHT, "takes 0 bytes of F32"),
    "half a byte": (header(entry("F4", "[3]", "[0,1]")), b"x", "takes 1 and a part bytes of F4"),
    "reversed offsets": (header(entry(offsets="[8,0]")), EIGHT, r"data_offsets \[8, 0\], expected begin <= end"),
    "beyond the end": (header(entry("U8", "[9]", "[0,9]")), EIGHT, "expected begin <= end <= 8"),
    "far beyond the end": (
        header(entry("U8", "[9]", "[18446744073709551606,18446744073709551615]")),
        EIGHT,
        "expected begin <= end <= 8",
    ),
    "negative offset": (header(entry(offsets="[-8,0]")), EIGHT, "a data offset is -8"),
    "hole at the start": (header(entry("U8", "[4]", "[4,8]")), EIGHT, "expected 0: there is a hole"),
    "hole": (
        header(entry("U8", "[2]", "[0,2]"), entry("U8", "[2]", "[6,8]", "v")),
        EIGHT,
        "tensor 'v': data begins at offset 6 of the data, expected 2: there is a hole",
    ),
    "overlap": (
        header(entry("U8", "[6]", "[0,6]"), entry("U8", "[4]", "[4,8]", "v")),
        EIGHT,
        "tensor 'v': data begins at offset 4 of the data, expected 6: it overlaps another",
    ),
    "same bytes twice": (header(entry(), entry(name="v")), EIGHT, "it overlaps another"),
    "empty tensor inside another": (header(entry(), entry("U8", "[0]", "[3,3]", "v")), EIGHT, "overlaps another"),
    "trailing data": (header(entry()), bytes(9), "1 bytes follow the last tensor"),
    "data but no tensor": (b"{}", b"x", "1 bytes follow the last tensor"),
    "metadata is a list": (b'{"__metadata__":[]}', b"", "found an array, expected an object"),
    "metadata value is a number": (b'{"__metadata__":{"k":1}}', b"", "__metadata__ 'k' is a number, expected a string"),
    "metadata is nested": (b'{"__metadata__":{"k":{"a":"b"}}}', b"", "__metadata__ 'k' is an object"),
    "metadata twice": (b'{"__metadata__":{},"__metadata__":{}}', b"", "'__metadata__' twice"),
    "metadata key twice": (b'{"__metadata__":{"a":"","a":""}}', b"", "'a' twice"),
    "metadata key empty": (b'{"__metadata__":{"":""}}', b"", "empty"),
    "lone surrogate": (b'{"__metadata__":{"k":"\\ud800"}}', b"", "lone surrogate"),
    "not UTF-8": (b'{"__metadata__":{"k":"\xff"}}', b"", "not UTF-8"),
    "control character": (b'{"__metadata__":{"k":"\n"}}', b"", "control character"),
    "text after the object": (b"{}{}", b"", "more text after the value"),
    "zero bytes after the object": (b"{}\0\0\0\0\0\0", b"", "more text after the value"),
    "ends early": (b'{"w":{"dtype":', b"", "the text ends, expected a value"),
    "deep": (b'{"w":' + b'{"w":' * 100_000, b"", "nested deeper than 64 levels"),
    "trailing comma": (b'{"__metadata__":{},}', b"", "expected a value"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_header(tmp_path: Path, case: str) -> None:
    raw, data, message = HEADERS[case]
    path = tmp_path / "m.safetensors"
    path.write_bytes(safetensors_from_header(raw, data))
    refused_within(0.1, path, message)


@pytest.mark.parametrize("size", [8, 2**31, 2**32, 2**63 - 8, 2**63, 2**64 - 1, 2**64 - 8])
def test_header_length_beyond_the_file(tmp_path: Path, size: int) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(struct.pack("<Q", size) + b"{}     ")
    refused(path, f"claims a header of {size} bytes, 7 follow")


def test_header_of_more_than_100_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(struct.pack("<Q", 100_000_001) + b"{")
    with open(path, "r+b") as file:
        file.truncate(200_000_000)
    refused(path, "a header of 100000001 bytes, expected at most 100000000")


def test_truncated_at_every_byte(tmp_path: Path) -> None:
    content = safetensors_bytes({"w": ("F32", (2, 3), bytes(24)), "v": ("F16", (5,), bytes(10))}, {"format": "pt"})
    path = tmp_path / "m.safetensors"
    for size in range(len(content)):
        path.write_bytes(content[:size])
        refused(path, ".")


def test_every_bit_of_the_header_flipped(tmp_path: Path) -> None:
    content = safetensors_bytes({"w": ("F32", (2, 3), bytes(24)), "v": ("F16", (5,), bytes(10))}, {"format": "pt"})
    path = tmp_path / "m.safetensors"
    accepted = 0
    for bit in range((len(content) - 34) * 8):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            ca.inspect_file(path)
            accepted += 1
        except ca.FormatError as error:
            assert str(error).startswith(f"{path}: ")
    assert 0 < accepted < 200  # letters of names and of "format": "pt"


@pytest.mark.parametrize("n", [7_000, 70_000])
def test_large_headers_are_refused_in_time(tmp_path: Path, n: int) -> None:
    """Just under 1 MiB within 0.1 s and 10 MiB within 2 s, with the fault at the very end."""
    many = [entry("U8", "[0]", "[0,0]", f"a.{'x' * 80}.{i}") for i in range(n)]
    path = tmp_path / "m.safetensors"
    for fault, message in ((entry("U8", "[1]", "[0,1]"), "expected begin <= end <= 0"), (many[0], "twice")):
        path.write_bytes(safetensors_from_header(header(*many, fault)))
        assert path.stat().st_size < (1 << 20 if n == 7_000 else 10.5 * (1 << 20))
        refused_within(0.1 if n == 7_000 else 2, path, message)
