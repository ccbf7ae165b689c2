"""How a text becomes token ids, step by step and in plain Python: the twin of the engine's tokenizer.

Two kinds of BPE share one idea: start from the smallest units and merge the best adjacent pair until none is left.

- `BytePairs` (GPT-2, SmolLM): a pre-tokenizer cuts the text, each piece starts as its bytes, the pair of lowest *rank*
  is merged first. A byte is written as a printable character: a space is `Ġ`.
- `SentencePieces` (Llama 2, Gemma, Phi-3): the whole text is one row of characters, a space is the character `▁`, the
  pair whose joined piece has the highest *score* is merged first; what has no piece falls back to byte tokens `<0xE2>`.

Everything is as slow as it is short: every merge looks at all pairs.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
SPACE_MARK = "\u2581"  # ▁


def byte_characters() -> list[str]:
    """GPT-2's printable character of each byte: itself where Latin-1 shows one, else the next from U+0100 on. [256]"""
    visible = {*range(33, 127), *range(161, 173), *range(174, 256)}
    hidden = iter(range(256, 512))
    return [chr(b) if b in visible else chr(next(hidden)) for b in range(256)]


# ---- pre-tokenizers: (text) -> [(piece, rule)]


def kind(c: str) -> str:
    """letters (\\p{L}) | numbers (\\p{N}) | spaces (\\s) | symbols. By Python's Unicode; the engine's is 16."""
    category = unicodedata.category(c)
    if category[0] == "L":
        return "letters"
    if category[0] == "N":
        return "numbers"
    return "spaces" if category[0] == "Z" or c in "\t\n\v\f\r\x85" else "symbols"


def split_gpt2(text: str) -> list[tuple[str, str]]:
    """'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"""
    out = []
    at = 0
    while at < len(text):
        stop, rule = _next_gpt2(text, at)
        out.append((text[at:stop], rule))
        at = stop
    return out


def _next_gpt2(text: str, at: int) -> tuple[int, str]:
    for word in ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d"):
        if text.startswith(word, at):
            return at + len(word), "contraction"
    word_at = at + 1 if text[at] == " " and at + 1 < len(text) else at  # " ?" before a word
    rule = kind(text[word_at])
    stop = word_at if rule != "spaces" else at
    while stop < len(text) and kind(text[stop]) == rule:
        stop += 1
    if rule == "spaces" and stop < len(text) and stop - at > 1:
        stop -= 1  # \s+(?!\S): the last of several spaces goes with the word after them
    return stop, rule


def split_smollm(text: str) -> list[tuple[str, str]]:
    """Every number character alone; what lies between as GPT-2 has it."""
    out: list[tuple[str, str]] = []
    begin = 0
    for at, c in enumerate(text):
        if kind(c) == "numbers":
            out += [*split_gpt2(text[begin:at]), (c, "numbers")]
            begin = at + 1
    return out + split_gpt2(text[begin:])


PRETOKENIZERS: dict[str, Callable[[str], list[tuple[str, str]]]] = {"gpt-2": split_gpt2, "smollm": split_smollm}


# ---- merging


@dataclass
class Step:
    """One merge: the row after it, and the key (rank, or negated score) that won."""

    left: str
    right: str
    key: float
    row: list[str]


def merge(row: list[str], key: Callable[[str, str], float | None]) -> Iterator[Step]:
    """Merges the pair of smallest key, the leftmost of equals, until no pair has one. Yields every step."""
    while True:
        keyed = [(k, i) for i in range(len(row) - 1) if (k := key(row[i], row[i + 1])) is not None]
        if not keyed:
            return
        best, i = min(keyed)
        left, right = row[i : i + 2]
        row = [*row[:i], left + right, *row[i + 2 :]]
        yield Step(left, right, best, row)


def merged(row: list[str], key: Callable[[str, str], float | None]) -> list[str]:
    for step in merge(row, key):
        row = step.row
    return row


# ---- added tokens


def split_added(text: str, added: dict[str, int]) -> list[str | int]:
    """Cuts out the tokens that match as they stand: the longest at the leftmost place. -> texts and ids"""
    out: list[str | int] = []
    begin = at = 0
    longest_first = sorted((piece for piece in added if piece), key=len, reverse=True)
    while at < len(text):
        found = next((piece for piece in longest_first if text.startswith(piece, at)), None)
        if found is None:
            at += 1
            continue
        out += [text[begin:at]] * (at > begin) + [added[found]]
        begin = at = at + len(found)
    return out + [text[begin:]] * (at > begin)


@dataclass
class Vocabulary:
    """What a GGUF file says. pieces: [n] str, types: [n] 1..6; merges for BytePairs, scores [n] for SentencePieces."""

    pieces: Sequence[str]
    types: Sequence[int]
    merges: Sequence[str] = ()
    scores: Sequence[float] = ()
    pre: str = "gpt-2"
    add_space_prefix: bool = True
    unknown: int | None = None

    def added(self, parse_special: bool) -> dict[str, int]:
        kinds = {USER_DEFINED, CONTROL, UNKNOWN} if parse_special else {USER_DEFINED}
        return {piece: i for i, (piece, t) in enumerate(zip(self.pieces, self.types, strict=True)) if t in kinds}


class BytePairs:
    """Byte-level BPE (Radford et al. 2019, after Sennrich et al. 2016)."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.ids = {piece: i for i, piece in enumerate(vocabulary.pieces)}
        pairs = [line.split(" ") for line in vocabulary.merges]
        self.ranks = {(left, right): rank for rank, (left, right) in enumerate(pairs)}
        self.split = PRETOKENIZERS[vocabulary.pre]
        self.characters = byte_characters()
        self.bytes = {c: b for b, c in enumerate(self.characters)}

    def key(self, left: str, right: str) -> float | None:
        return self.ranks.get((left, right))

    def row(self, piece: str) -> list[str]:
        """The symbols a piece starts as: its bytes, less those that the vocabulary lacks."""
        characters = [self.characters[b] for b in piece.encode("utf-8")]
        return [c for c in characters if c in self.ids]

    def encode(self, text: str, parse_special: bool = False) -> list[int]:
        out: list[int] = []
        for part in split_added(text, self.vocabulary.added(parse_special)):
            if isinstance(part, int):
                out.append(part)
                continue
            for piece, _ in self.split(part):
                out += [self.ids[symbol] for symbol in merged(self.row(piece), self.key)]
        return out

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        out = b""
        for i in ids:
            piece, is_text = self.vocabulary.pieces[i], self.vocabulary.types[i] in (NORMAL, UNUSED)
            spelled = is_text and all(c in self.bytes for c in piece)
            out += bytes(self.bytes[c] for c in piece) if spelled else piece.encode("utf-8")
        return out


class SentencePieces:
    """SentencePiece's BPE with byte fallback (Kudo and Richardson 2018)."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        marked = [piece.replace(" ", SPACE_MARK) for piece in vocabulary.pieces]
        mergeable = {NORMAL, USER_DEFINED, UNUSED}
        entries = [(p, i) for i, p in enumerate(marked) if vocabulary.types[i] in mergeable]
        # Where '▁▁' and two plain spaces are both pieces, the former is the one that SentencePiece knows.
        entries.sort(key=lambda entry: " " not in vocabulary.pieces[entry[1]])
        self.ids = dict(entries)
        self.byte_ids = {int(p[3:5], 16): i for i, p in enumerate(marked) if vocabulary.types[i] == BYTE}

    def key(self, left: str, right: str) -> float | None:
        found = self.ids.get(left + right)
        return None if found is None else -self.vocabulary.scores[found]

    def encode(self, text: str, parse_special: bool = False) -> list[int]:
        added = {p.replace(" ", SPACE_MARK): i for p, i in self.vocabulary.added(parse_special).items()}
        out: list[int] = []
        for part in split_added(text.replace(" ", SPACE_MARK), added):
            out += [part] if isinstance(part, int) else self._encode_part(part)
        return out

    def _encode_part(self, part: str) -> list[int]:
        row = list(SPACE_MARK * self.vocabulary.add_space_prefix + part)
        joined: dict[str, tuple[str, str]] = {}  # unused piece -> how it was joined, to take it apart again
        while True:
            for left, right in pairwise(row):
                if self._unused(left + right):
                    joined[left + right] = (left, right)
            step = next(merge(row, self.key), None)
            if step is None:
                break
            row = step.row
        out: list[int] = []
        for symbol in row:
            for piece in self._take_apart(symbol, joined):
                out += self._ids_of(piece, out)
        return out

    def _unused(self, piece: str) -> bool:
        return piece in self.ids and self.vocabulary.types[self.ids[piece]] == UNUSED

    def _take_apart(self, symbol: str, joined: dict[str, tuple[str, str]]) -> list[str]:
        if not self._unused(symbol) or symbol not in joined:
            return [symbol]
        left, right = joined[symbol]
        return self._take_apart(left, joined) + self._take_apart(right, joined)

    def _ids_of(self, piece: str, before: list[int]) -> list[int]:
        if piece in self.ids and not self._unused(piece):
            return [self.ids[piece]]
        if self.byte_ids:
            return [self.byte_ids[b] for b in piece.replace(SPACE_MARK, " ").encode("utf-8")]
        unknown = self.vocabulary.unknown
        return [] if unknown is None or before[-1:] == [unknown] else [unknown]  # one for a run of them

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        out = b""
        at_start = self.vocabulary.add_space_prefix
        for i in ids:
            piece, t = self.vocabulary.pieces[i], self.vocabulary.types[i]
            if t == BYTE:
                out += bytes([int(piece[3:5], 16)])
            else:
                text = piece.replace(SPACE_MARK, " ")
                out += text.removeprefix(" " if at_start and t in (NORMAL, UNUSED) else "").encode("utf-8")
            at_start = self.vocabulary.add_space_prefix and t in (CONTROL, USER_DEFINED)
        return out
