"""Training a tokenizer: byte-level BPE, merge by merge as Hugging Face's trainer finds them."""

from __future__ import annotations

import json
import operator
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from . import _core
from .arguments import checked_arguments, described
from .errors import ArgumentError
from .nearest import did_you_mean, nearest
from .progress import bar
from .reference.tokenizer import byte_characters
from .tokenization import Text, Tokenizer


class TrainedTokenizer(Tokenizer):
    """A tokenizer that was just trained; `save` writes it as tokenizer.json."""

    def __init__(self, core: _core.Tokenizer, document: dict[str, Any]) -> None:
        super().__init__(core)
        self._document = document

    @property
    def merges(self) -> list[tuple[str, str]]:
        """What was merged, in order: pairs of pieces as the file spells them."""
        return [(left, right) for left, right in self._document["model"]["merges"]]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes tokenizer.json: what `ca.Tokenizer.from_file` and Hugging Face's tokenizers read."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(json.dumps(self._document, ensure_ascii=False))


@checked_arguments
def train_bpe(
    texts: Iterable[Text],
    vocab_size: int,
    pretokenizer: str = "gpt-2",
    *,
    special_tokens: Sequence[str] = (),
    min_frequency: int = 0,
    progress: bool = True,
) -> TrainedTokenizer:
    """Byte-level BPE learned from texts (Sennrich et al. 2016), ready to use.

    texts: str or bytes, each cut by itself by the pre-tokenizer: "gpt-2", "smollm", "cl100k", "o200k", "llama-bpe",
    "qwen2", "tekken", "deepseek-llm", "deepseek-coder", "deepseek-v3", "falcon" or "bloom". vocab_size: ids in all, the
    special tokens (the first ids) and the 256 bytes among them; there are fewer where no pair is left that occurs
    `min_frequency` times. The merges are those of Hugging Face's `BpeTrainer` with the alphabet of ByteLevel, ties
    included.

    ArgumentError for an unknown pre-tokenizer, a text that is none, or a vocab_size without room for the bytes.
    """
    if isinstance(texts, (str, bytes)):
        raise ArgumentError("train_bpe takes texts, in a list or another iterable, got one text; wrap it in a list.")
    if not isinstance(texts, Iterable):
        raise ArgumentError(f"train_bpe takes texts, in a list or another iterable, got {described(texts)}.")
    names = [name for name in _core.pretokenizers().split(", ") if _cut(name)]
    cut = _cut(pretokenizer) if pretokenizer in names else None
    if cut is None:
        listed = did_you_mean(nearest(pretokenizer, names), f"There are {', '.join(names)}.")
        raise ArgumentError(f"no pre-tokenizer is called {pretokenizer!r}.{listed}")
    specials = _specials(special_tokens)
    size = _whole("vocab_size", vocab_size)
    with bar(progress, desc="merges", total=size, unit=" ids", leave=False, delay=1) as shown:
        tokens, merges = _core.train_bpe(
            _checked(texts),
            size,
            pretokenizer,
            specials,
            _whole("min_frequency", min_frequency),
            lambda ids: shown.update(ids - shown.n),
        )
    characters = byte_characters()
    pieces = [*specials, *("".join(characters[b] for b in raw) for raw in tokens[len(specials) :])]
    document = _document(pieces, merges.tolist(), specials, cut)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "tokenizer.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(json.dumps(document, ensure_ascii=False))  # json.dump writes token by token
        return TrainedTokenizer(_core.Tokenizer(path), document)


_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}


def _cut(pretokenizer: str) -> dict[str, Any] | None:
    """The pre-tokenizer of that name as a tokenizer.json has it; None where the format cannot say it."""
    if pretokenizer == "gpt-2":
        return _BYTE_LEVEL
    if pretokenizer == "smollm":
        return {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, _BYTE_LEVEL]}
    pattern = _core.split_pattern(pretokenizer)
    steps = _core.split_steps(pretokenizer) if pattern is None else [pattern]
    if steps is None:
        return None
    return {"type": "Sequence", "pretokenizers": [*map(_step, steps), _BYTE_LEVEL | {"use_regex": False}]}


def _step(step: str) -> dict[str, Any]:
    """A step of split_steps.def as a tokenizer.json has it."""
    if step == "Digits":
        return {"type": "Digits", "individual_digits": True}
    if step == "Punctuation":
        return {"type": "Punctuation", "behavior": "Contiguous"}
    return {"type": "Split", "pattern": {"Regex": step}, "behavior": "Isolated", "invert": False}


def _document(pieces: list[str], merges: list[list[int]], specials: list[str], cut: dict[str, Any]) -> dict[str, Any]:
    """tokenizer.json of a byte-level BPE."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": token, **flags} for i, token in enumerate(specials)],
        "normalizer": None,
        "pre_tokenizer": cut,
        "post_processor": None,
        "decoder": _BYTE_LEVEL,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {piece: id for id, piece in enumerate(pieces)},
            "merges": [[pieces[left], pieces[right]] for left, right in merges],
        },
    }


def _checked(texts: Iterable[Any]) -> Iterator[Text]:
    for i, text in enumerate(texts):
        if not isinstance(text, (str, bytes)):
            raise ArgumentError(f"texts[{i}] is {described(text)}, expected str or bytes.")
        yield text


def _specials(tokens: Any) -> list[str]:
    if isinstance(tokens, str) or not isinstance(tokens, Sequence):
        raise ArgumentError(f"special_tokens is a list of str, got {described(tokens)}.")
    for token in tokens:
        if not isinstance(token, str) or not token:
            raise ArgumentError(f"a special token is a str that is not empty, got {token!r}.")
    if len(set(tokens)) < len(tokens):
        raise ArgumentError("special_tokens names one token twice; each has one id.")
    return list(tokens)


def _whole(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise ArgumentError(f"{name} is a whole number, got {described(value)}.") from None
