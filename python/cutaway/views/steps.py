"""What `tok.explain` is made of: pieces of a text, and the steps by which each became tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from ..tokenization import Tokenizer

# By `info()["model"]`: GGUF's names of models, then those of tokenizer.json; "score" and "merge" where there is none.
KEY = {
    "gpt2": "rank",
    "tiktoken": "rank",
    "bert": "length",
    "rwkv": "length",
    "BPE": "rank",
    "WordPiece": "length",
}
STEP = {"t5": "edge", "bert": "match", "rwkv": "match", "Unigram": "edge", "WordPiece": "match"}
SPELLED = ("bert", "WordPiece")  # a token is shown as the vocabulary marks it: ##able


@dataclass(frozen=True)
class Merge:
    """One step. Of BPE a merge: `left + right` became token `id`, and `key` is its rank (byte-level; lowest first) or
    its score (SentencePiece; highest first). Elsewhere `right` is empty: an edge of unigram's lattice, with its score,
    `chosen` if it lies on the best path; or a match of WordPiece or RWKV, with its length in bytes, `chosen` unless the
    rest of the word has no piece. Marks of the vocabulary, such as ## and </w>, are part of `left` and `right`."""

    left: bytes
    right: bytes
    id: int
    key: float
    begin: int = 0  # bytes of the normalised piece; both 0 for a merge of byte-level BPE
    end: int = 0
    chosen: bool = True
    joined: bytes = b""
    """What it became: `left + right`, with one mark where both have it; of an unknown word its token."""
    tried: int = 0
    """WordPiece: how many longer beginnings of the rest were looked up before this one, and are no pieces."""

    def describe(self, key_name: str, show: Callable[[bytes], str], arrow: str = "->") -> str:
        """In one line; `show` writes bytes."""
        made = f" {arrow} {show(self.joined)}" if self.right or self.joined != self.left else ""
        what = f"{show(self.left)} + {show(self.right)}" if self.right else show(self.left)
        made += f"  bytes {self.begin}-{self.end}" if not self.right and key_name == "score" else ""  # of a lattice
        return f"{what}{made}  {key_name} {self.key:g}{self._note(key_name)}"

    def _note(self, key_name: str) -> str:
        if not self.chosen and key_name != "length":
            return "  (not on the best path)"
        said = [f"{self.tried} longer tried"] if self.tried else []
        said += [] if self.chosen else ["given up: no piece goes on from here"]
        return f"  ({'; '.join(said)})" if said else ""


@dataclass(frozen=True)
class Piece:
    """A part of the text that was encoded on its own, the rule that cut it, its merges in order, and its ids."""

    text: bytes
    begin: int  # bytes of the UTF-8 text
    end: int
    rule: str
    """added token | contraction | letters | numbers | symbols | spaces | white space | punctuation |
    Chinese character | Metaspace | delimiter | script | fixed length | pattern | between matches | not cut"""
    ids: tuple[int, ...]
    tokens: tuple[str, ...]
    """As `tok.tokens`; of WordPiece as `tok.piece`, marks included."""
    merges: tuple[Merge, ...]
    token_bytes: tuple[bytes, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()
    """Where each token lies, as `tok.offsets` has it: characters of a str, bytes of bytes."""
    normalized: bytes = b""
    """What the model was given for `text`: lower case, no accents, a space in front, as the file's rules say."""

    def normalization(self, show: Callable[[bytes], str], arrow: str = "->") -> str:
        """The text; and what it became, where that differs. `show` writes bytes."""
        return show(self.text) + (f" {arrow} {show(self.normalized)}" if self.normalized != self.text else "")


def read_pieces(tokenizer: Tokenizer, data: bytes, raw: Sequence[Any], offsets: np.ndarray) -> tuple[Piece, ...]:
    """Pieces as the core describes them. offsets: [n, 2] of all tokens in order."""
    rest = iter(offsets.tolist())
    spelled = tokenizer.info()["model"] in SPELLED
    out = []
    for begin, end, rule, ids, merges, normalized in raw:
        steps = tuple(_merge(tokenizer, *merge) for merge in merges)
        seen = data[begin:end] if rule == "added token" else normalized
        names = [tokenizer.piece(id) for id in ids] if spelled else tokenizer.tokens(ids)
        own = [tokenizer.token_bytes(id) for id in ids]
        if spelled:  # the bytes that it covers: a token's own have the space in front that decoding puts there
            covered = [seen[step.begin : step.end] for step in steps if step.chosen]
            own = covered if len(covered) == len(ids) else [name.encode() for name in names]
        spans = tuple((first, last) for first, last in islice(rest, len(ids)))
        out.append(Piece(data[begin:end], begin, end, rule, tuple(ids), tuple(names), steps, tuple(own), spans, seen))
    return tuple(out)


def _merge(tokenizer: Tokenizer, left: bytes, right: bytes, id: int, *rest: Any) -> Merge:
    key, begin, end, chosen, joined, tried = rest
    if not right and id >= 0 and tokenizer.token_type(id) == "unknown":
        joined = tokenizer.piece(id).encode()
    return Merge(left, right, id, key, begin, end, chosen, joined, tried)


def step_records(pieces: Sequence[Piece], step_name: str, key_name: str) -> list[dict[str, Any]]:
    """One per step: its piece, by number and bytes; its own number; the fields of Merge, its key under `key_name`."""
    return [
        {"piece": n, "text": piece.text, "rule": piece.rule, "step": i, "kind": step_name, "left": m.left,
         "right": m.right, "joined": m.joined, "id": m.id, key_name: m.key, "begin": m.begin, "end": m.end,
         "chosen": m.chosen, "tried": m.tried}
        for n, piece in enumerate(pieces)
        for i, m in enumerate(piece.merges)
    ]  # fmt: skip


def several(name: str) -> str:
    """The plural of the name of a step."""
    return name + ("es" if name.endswith("ch") else "s")
