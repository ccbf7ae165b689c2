"""A GGUF file in sixty lines: header, key-value pairs, tensor table, data. It trusts the file; the engine does not.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import math
import os
import struct
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from .blocks import NAMES, TYPES

# value type number -> struct letter; 8 is a string and 9 an array
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


class Tensor(NamedTuple):
    """One tensor as stored. shape: row-major, the fastest axis last (the file has it first)."""

    type: str
    shape: tuple[int, ...]
    raw: np.ndarray  # uint8 [n_bytes], a view of the mapped file


def _scalar(f: BinaryIO, letter: str) -> Any:
    return struct.unpack("<" + letter, f.read(struct.calcsize(letter)))[0]


def _string(f: BinaryIO) -> str:
    return f.read(_scalar(f, "Q")).decode("utf-8")


def _value(f: BinaryIO, kind: int) -> Any:
    if kind == 8:
        return _string(f)
    if kind == 9:
        element, count = _scalar(f, "I"), _scalar(f, "Q")
        if element in SCALARS:
            size = struct.calcsize(SCALARS[element])
            return list(struct.unpack(f"<{count}{SCALARS[element]}", f.read(count * size)))
        return [_value(f, element) for _ in range(count)]
    return _scalar(f, SCALARS[kind])


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Metadata by key and tensors by name, of a GGUF file of version 2 or 3."""
    with open(path, "rb") as f:
        magic, version = f.read(4), _scalar(f, "I")
        if magic != b"GGUF" or version not in (2, 3):
            raise ValueError(f"{path}: begins with {magic!r} version {version}, expected b'GGUF' version 2 or 3")
        n_tensors, n_keys = _scalar(f, "Q"), _scalar(f, "Q")
        metadata = {}
        for _ in range(n_keys):
            key = _string(f)
            metadata[key] = _value(f, _scalar(f, "I"))
        table = []
        for _ in range(n_tensors):
            name = _string(f)
            shape = tuple(_scalar(f, "Q") for _ in range(_scalar(f, "I")))[::-1]
            table.append((name, shape, NAMES[_scalar(f, "I")], _scalar(f, "Q")))
        alignment = metadata.get("general.alignment", 32)
        start = -(-f.tell() // alignment) * alignment
    data = np.memmap(path, np.uint8, mode="r")
    tensors = {}
    for name, shape, kind, offset in table:
        _, block, size = TYPES[kind]
        n_bytes = math.prod(shape) // block * size
        tensors[name] = Tensor(kind, shape, data[start + offset : start + offset + n_bytes])
    return metadata, tensors
