"""The SentencePiece model that a GGUF file was made of, again: for peers that read no GGUF.

Fields as in sentencepiece_model.proto of sentencepiece 0.2; wire format of Protocol Buffers.
"""

from __future__ import annotations

import struct
from pathlib import Path

import cutaway as ca

UNKNOWN, USER_DEFINED, BPE = 2, 4, 2  # ModelProto.SentencePiece.Type, TrainerSpec.ModelType


def model_of(path: Path) -> bytes:
    """A `tokenizer.model` with the pieces, scores and types of a file whose `tokenizer.ggml.model` is llama."""
    said = dict(ca.inspect_file(path).metadata)
    columns = (said[f"tokenizer.ggml.{name}"] for name in ("tokens", "scores", "token_type"))
    pieces = b"".join(_field(1, _piece(*row)) for row in zip(*columns, strict=True))
    trainer = _field(3, BPE) + _field(35, 1)  # byte_fallback
    prefix = said.get("tokenizer.ggml.add_space_prefix", True)
    # name, add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces
    normalizer = _field(1, b"identity") + _field(3, int(prefix)) + _field(4, 0) + _field(5, 1)
    return pieces + _field(2, trainer) + _field(3, normalizer)


def _piece(piece: str, score: float, kind: int) -> bytes:
    """Converters to GGUF write the spaces of user-defined pieces as spaces."""
    spelled = piece.replace(" ", "\u2581") if kind == USER_DEFINED else piece
    kind = UNKNOWN if piece == "<unk>" else int(kind)
    return _field(1, spelled.encode()) + _field(2, float(score)) + _field(3, kind)


def _field(number: int, value: bytes | float | int) -> bytes:
    if isinstance(value, bytes):
        return _varint(number << 3 | 2) + _varint(len(value)) + value
    if isinstance(value, float):
        return _varint(number << 3 | 5) + struct.pack("<f", value)
    return _varint(number << 3) + _varint(value)


def _varint(n: int) -> bytes:
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes([*out, n])
