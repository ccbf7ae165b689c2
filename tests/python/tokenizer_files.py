"""Small vocabularies for tests: trained here on the golden lines, written as GGUF or as a SentencePiece model."""

from __future__ import annotations

import json
import struct
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from cutaway.reference import tokenizer as twin
from make_files import write_gguf

GOLDEN = Path(__file__).parents[1] / "golden"


@cache
def golden_lines() -> list[str]:
    return json.loads((GOLDEN / "tokenizer_lines.json").read_text())


def golden_ids(data: Any, prefix: str = "") -> list[np.ndarray]:
    return np.split(data[prefix + "ids"], data[prefix + "ends"][:-1])


def train(words: list[list[str]], merges: int) -> list[tuple[str, str]]:
    """The most frequent adjacent pair, again and again (ties: the smaller pair)."""
    found = []
    for _ in range(merges):
        pairs = Counter(pair for word in words for pair in pairwise(word))
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        found.append(best)
        words = [_joined(word, best) for word in words]
    return found


def _joined(word: list[str], pair: tuple[str, str]) -> list[str]:
    out: list[str] = []
    for symbol in word:
        if out and (out[-1], symbol) == pair:
            out[-1] += symbol
        else:
            out.append(symbol)
    return out


@cache
def small_bpe(pre: str = "smollm", missing: bytes = b"") -> twin.Vocabulary:
    """All bytes (less `missing`), 250 merges, two control tokens, two user-defined ones."""
    characters = twin.byte_characters()
    split = twin.PRETOKENIZERS[pre]
    words = [[characters[b] for b in piece.encode()] for line in golden_lines()[:300] for piece, _ in split(line)]
    pieces = [c for b, c in enumerate(characters) if b not in missing]
    words = [[c for c in word if c in pieces] for word in words]
    merges = train(words, 250)
    pieces += list(dict.fromkeys(left + right for left, right in merges))
    added = {"<|end|>": twin.CONTROL, "<|im_start|>": twin.CONTROL, "<b>": twin.USER_DEFINED, "<b>>": twin.USER_DEFINED}
    types = [twin.NORMAL] * len(pieces) + list(added.values())
    return twin.Vocabulary([*pieces, *added], types, merges=[f"{a} {b}" for a, b in merges], pre=pre)


@cache
def small_spm(byte_fallback: bool = True, add_space_prefix: bool = True, unused: bool = True) -> twin.Vocabulary:
    """Characters of some lines, 300 merges of which every seventh is unused, control and user-defined tokens."""
    lines = [line.replace(" ", twin.SPACE_MARK) for line in golden_lines()[:120]]
    merges = list(dict.fromkeys(left + right for left, right in train([list(line) for line in lines], 300)))
    singles = sorted({c for line in lines[:60] for c in line})
    special = {
        "<unk>": twin.UNKNOWN,
        "<s>": twin.CONTROL,
        "</s>": twin.CONTROL,
        "<b>": twin.USER_DEFINED,
        "\n\n": twin.USER_DEFINED,
    }
    pieces = {**special}
    if byte_fallback:
        pieces |= {f"<0x{b:02X}>": twin.BYTE for b in range(256)}
    for rank, piece in enumerate([*merges, *singles]):
        is_unused = unused and rank % 7 == 3 and rank < len(merges)
        pieces.setdefault(piece, twin.UNUSED if is_unused else twin.NORMAL)
    scores = [0.0 if t == twin.BYTE else -float(i) for i, t in enumerate(pieces.values())]
    return twin.Vocabulary(
        list(pieces), list(pieces.values()), scores=scores, add_space_prefix=add_space_prefix, unknown=0
    )


def metadata(vocabulary: twin.Vocabulary) -> dict[str, tuple[str, Any]]:
    """The GGUF keys of a vocabulary; tests add, change and remove some."""
    keys: dict[str, tuple[str, Any]] = {
        "general.architecture": ("string", "llama"),
        "tokenizer.ggml.model": ("string", "llama" if vocabulary.scores else "gpt2"),
        "tokenizer.ggml.tokens": ("array[string]", list(vocabulary.pieces)),
        "tokenizer.ggml.token_type": ("array[i32]", list(vocabulary.types)),
    }
    if vocabulary.scores:
        keys["tokenizer.ggml.scores"] = ("array[f32]", list(vocabulary.scores))
        keys["tokenizer.ggml.add_space_prefix"] = ("bool", vocabulary.add_space_prefix)
        keys["tokenizer.ggml.unknown_token_id"] = ("u32", vocabulary.unknown)
        keys["tokenizer.ggml.bos_token_id"] = ("u32", 1)
        keys["tokenizer.ggml.eos_token_id"] = ("u32", 2)
    else:
        keys["tokenizer.ggml.pre"] = ("string", vocabulary.pre)
        keys["tokenizer.ggml.merges"] = ("array[string]", list(vocabulary.merges))
        keys["tokenizer.ggml.eos_token_id"] = ("u32", vocabulary.pieces.index("<|end|>"))
    return keys


def write(path: Path, vocabulary: twin.Vocabulary, **changes: tuple[str, Any] | None) -> Path:
    """A vocabulary-only GGUF file. changes: key without "tokenizer.ggml." -> (type, value), None removes it."""
    keys = metadata(vocabulary)
    for name, change in changes.items():
        key = name if "." in name else f"tokenizer.ggml.{name}"
        if change is None:
            del keys[key]
        else:
            keys[key] = change
    return write_gguf(path, keys)


def _field(number: int, wire: int, payload: bytes) -> bytes:
    return bytes([number << 3 | wire]) + payload


def _block(number: int, payload: bytes) -> bytes:
    size, out = len(payload), b""
    while size >= 0x80:
        out += bytes([size & 0x7F | 0x80])
        size >>= 7
    return _field(number, 2, out + bytes([size]) + payload)


def sentencepiece_model(vocabulary: twin.Vocabulary) -> bytes:
    """The same vocabulary as a SentencePiece model file (a protobuf: pieces 1, trainer_spec 2, normalizer 3)."""
    out = b""
    for piece, score, kind in zip(vocabulary.pieces, vocabulary.scores, vocabulary.types, strict=True):
        entry = _block(1, piece.encode()) + _field(2, 5, struct.pack("<f", score)) + _field(3, 0, bytes([kind]))
        out += _block(1, entry)
    fallback = twin.BYTE in vocabulary.types
    trainer = _field(3, 0, b"\x02") + bytes(
        [35 << 3 & 0x7F | 0x80, 35 >> 4, fallback]
    )  # model_type BPE, byte_fallback = 35
    normalizer = _block(1, b"identity") + b"".join(
        _field(n, 0, bytes([on])) for n, on in ((3, vocabulary.add_space_prefix), (4, False), (5, True))
    )
    return out + _block(2, trainer) + _block(3, normalizer)
