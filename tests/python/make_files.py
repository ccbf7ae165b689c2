"""Writes tiny GGUF and safetensors files, with struct and NumPy alone, so that tests can hold exact or broken files.

The GGUF layout is the specification's (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), the safetensors one
https://github.com/huggingface/safetensors#format. Nothing here checks anything: a test may write what is wrong.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

VALUE_TYPES = ("u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64")
_STRUCT = dict(zip(VALUE_TYPES, ("B", "b", "H", "h", "I", "i", "f", "?", "", "", "Q", "q", "d"), strict=True))

# name: (id in the file, elements per block, bytes per block)
GGML_TYPES = {
    "F32": (0, 1, 4),
    "F16": (1, 1, 2),
    "Q4_0": (2, 32, 18),
    "Q4_1": (3, 32, 20),
    "Q5_0": (6, 32, 22),
    "Q5_1": (7, 32, 24),
    "Q8_0": (8, 32, 34),
    "Q2_K": (10, 256, 84),
    "Q3_K": (11, 256, 110),
    "Q4_K": (12, 256, 144),
    "Q5_K": (13, 256, 176),
    "Q6_K": (14, 256, 210),
    "IQ4_NL": (20, 32, 18),
    "IQ2_S": (22, 256, 82),
    "IQ4_XS": (23, 256, 136),
    "I8": (24, 1, 1),
    "I16": (25, 1, 2),
    "I32": (26, 1, 4),
    "I64": (27, 1, 8),
    "F64": (28, 1, 8),
    "BF16": (30, 1, 2),
    "MXFP4": (39, 32, 17),
    "NVFP4": (40, 64, 36),
}

Tensor = tuple[str, Sequence[int], str, bytes]  # name, shape outermost first, ggml type, raw bytes


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def gguf_string(text: str | bytes) -> bytes:
    raw = _bytes(text)
    return struct.pack("<Q", len(raw)) + raw


def gguf_value(kind: str, value: Any) -> bytes:
    """The payload of a value of type "u32", "string", "array[i32]", ... without its type id."""
    if kind == "string":
        return gguf_string(value)
    if kind.startswith("array["):
        element = kind[len("array[") : -1]
        payload = b"".join(gguf_value(element, v) for v in value)
        return struct.pack("<IQ", VALUE_TYPES.index(element.partition("[")[0]), len(value)) + payload
    return struct.pack("<" + _STRUCT[kind], value)


def gguf_key(key: str | bytes, kind: str, value: Any) -> bytes:
    return gguf_string(key) + struct.pack("<I", VALUE_TYPES.index(kind.partition("[")[0])) + gguf_value(kind, value)


def gguf_tensor(name: str | bytes, shape: Sequence[int], type_id: int, offset: int) -> bytes:
    """One entry of the tensor directory. shape is outermost first; the file has it innermost first."""
    dims = struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
    return gguf_string(name) + dims + struct.pack("<IQ", type_id, offset)


def pad(raw: bytes, alignment: int) -> bytes:
    return raw + bytes(-len(raw) % alignment)


def gguf_bytes(
    metadata: Mapping[str, tuple[str, Any]], tensors: Sequence[Tensor] = (), version: int = 3, alignment: int = 32
) -> bytes:
    if alignment != 32 and "general.alignment" not in metadata:
        metadata = {"general.alignment": ("u32", alignment), **metadata}
    header = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    header += b"".join(gguf_key(key, kind, value) for key, (kind, value) in metadata.items())
    data = b""
    for name, shape, kind, raw in tensors:
        header += gguf_tensor(name, shape, GGML_TYPES[kind][0], len(data))
        data += pad(raw, alignment)
    return pad(header, alignment) + data if tensors else header


def write_gguf(
    path: str | PathLike[str],
    metadata: Mapping[str, tuple[str, Any]],
    tensors: Sequence[Tensor] = (),
    version: int = 3,
    alignment: int = 32,
) -> Path:
    """Writes a GGUF file. metadata: key -> (type, value), type as in "u32", "f32", "string", "array[string]"; string
    values are str or bytes. tensors: (name, shape outermost first, ggml type name, raw bytes of all blocks)."""
    Path(path).write_bytes(gguf_bytes(metadata, tensors, version, alignment))
    return Path(path)


def safetensors_bytes(
    tensors: Mapping[str, tuple[str, Sequence[int], bytes]], metadata: Mapping[str, str] | None = None
) -> bytes:
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    data = b""
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    return safetensors_from_header(json.dumps(header, separators=(",", ":")).encode(), data)


def safetensors_from_header(header: bytes, data: bytes = b"") -> bytes:
    header = header + b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + data


def write_safetensors(
    path: str | PathLike[str],
    tensors: Mapping[str, tuple[str, Sequence[int], bytes]],
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Writes a safetensors file. tensors: name -> (dtype as in "F32", shape, raw bytes)."""
    Path(path).write_bytes(safetensors_bytes(tensors, metadata))
    return Path(path)
