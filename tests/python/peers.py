"""Every tokenizer file of ../shared/conformance/tokenizers, beside the library that it is of: sentencepiece, tiktoken,
tokenizers; RWKV's, which has none, beside a direct reading of it."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cutaway as ca
import pytest
import sentencepiece
import tiktoken
import tokenizers
from conftest import shared_folder
from cutaway.tokenization import DroppedBytesWarning
from pretokenizer_patterns import LLAMA3
from tiktoken.load import load_tiktoken_bpe
from tiktoken_ext import openai_public

Encode = Callable[[list[str]], list[list[int]]]

# file -> (kind of the library, file that the library reads); those of one library file side by side
FILES = {
    "r50k_base.tiktoken": ("tiktoken", "r50k_base.tiktoken"),
    "ggml-vocab-gpt-2.gguf": ("tiktoken", "r50k_base.tiktoken"),
    **{f"{name}_base.tiktoken": ("tiktoken", f"{name}_base.tiktoken") for name in ("p50k", "cl100k", "o200k")},
    "llama3.tiktoken.model": ("tiktoken", "llama3.tiktoken.model"),
    **{
        f"{name}.tokenizer.json": ("tokenizers", f"{name}.tokenizer.json")
        for name in ("neox", "phi2", "roberta", "t5", "clip", "whisper", "falcon")
    },
    "ggml-vocab-falcon.gguf": ("tokenizers", "falcon.tokenizer.json"),
    "bert_base_cased_vocab.txt": ("bert", "bert_base_cased_vocab.txt"),
    "bert_base_uncased_vocab.txt": ("bert", "bert_base_uncased_vocab.txt"),
    "ggml-vocab-bert-bge.gguf": ("bert", "bert_base_uncased_vocab.txt"),
    **{
        f"{name}.model": ("sentencepiece", f"{name}.model")
        for name in ("mistral-v1.spm", "mistral-v3.spm", "t5.unigram", "sp-test-en.unigram", "sp-test-ja", "llama2.spm")
    },
    "ggml-vocab-llama-spm.gguf": ("sentencepiece", "llama2.spm.model"),
    "ggml-vocab-phi-3.gguf": ("phi-3", "llama2.spm.model"),
    "rwkv_vocab_v20230424.txt": ("reading", "rwkv_vocab_v20230424.txt"),
}


def conformance_file(name: str) -> Path:
    folder = shared_folder()
    if folder is None:
        pytest.skip("../shared/conformance is not here; set CUTAWAY_SHARED to the folder that holds it")
    return folder / "conformance" / "tokenizers" / name


@cache
def ours(name: str) -> ca.Tokenizer:
    return ca.Tokenizer.from_file(conformance_file(name))


@cache
def theirs(name: str) -> Encode:
    """texts -> the ids that the library gives each; special tokens in them are text."""
    kind, file = FILES[name]
    return _reader(kind, conformance_file(file))


@cache
def _reader(kind: str, path: Path) -> Encode:
    if kind == "tiktoken":
        encode = encoding(path).encode_ordinary
        return lambda texts: [encode(text) for text in texts]  # its batch is slower on short ones
    if kind == "sentencepiece":
        return sentencepiece.SentencePieceProcessor(model_file=str(path)).encode
    if kind == "phi-3":
        return phi3(path)
    if kind == "reading":
        return rwkv(path)
    if kind == "bert":
        hf = tokenizers.BertWordPieceTokenizer(str(path), lowercase="uncased" in path.name)._tokenizer
    else:
        hf = tokenizers.Tokenizer.from_file(str(path))
    return of_tokenizers(hf)


def of_tokenizers(hf: tokenizers.Tokenizer) -> Encode:
    hf.encode_special_tokens = True  # what is written in a text is text

    def encode(texts: list[str]) -> list[list[int]]:
        if len(texts) == 1:  # no threads for it
            return [hf.encode(texts[0], add_special_tokens=False).ids]
        return [one.ids for one in hf.encode_batch_fast(texts, add_special_tokens=False)]

    return encode


@cache
def encoding(path: Path) -> tiktoken.Encoding:
    """tiktoken's reading of a rank file."""
    ranks = load_tiktoken_bpe(str(path))
    if "llama3" in path.name:
        return tiktoken.Encoding("llama3", pat_str=LLAMA3, mergeable_ranks=ranks, special_tokens={})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openai_public, "load_tiktoken_bpe", lambda *_, **__: ranks)
        return tiktoken.Encoding(**getattr(openai_public, path.stem)())


def phi3(path: Path) -> Encode:
    """Llama 2's model and one token that is no control token, </s>: it takes the white space after it along, among
    which SentencePiece counts U+2581."""
    encode = sentencepiece.SentencePieceProcessor(model_file=str(path)).encode
    end = re.compile("</s>[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000▁]*")

    def one(text: str) -> list[int]:
        first, *rest = end.split(text)
        return [*encode(first), *(i for part in rest for i in (2, *encode(part)))]

    return lambda texts: [one(text) if "</s>" in text else ids for text, ids in zip(texts, encode(texts), strict=True)]


def rwkv(path: Path) -> Encode:
    """The longest piece at every place, by Python's own reading of the literals."""
    ids = {}
    for line in path.read_text("utf-8").split("\n")[:-1]:
        number, literal = line.split(" ", 1)
        piece = ast.literal_eval(literal[: literal.rindex(" ")])
        ids[piece.encode() if isinstance(piece, str) else piece] = int(number)
    longest: dict[bytes, int] = {}  # by the first two bytes
    for piece in ids:
        longest[piece[:2]] = max(longest.get(piece[:2], 0), len(piece))

    def one(text: str) -> list[int]:
        raw, at, out = text.encode(), 0, []
        while at < len(raw):
            end = at + longest.get(raw[at : at + 2], 1)
            while raw[at:end] not in ids:
                end -= 1
            out.append(ids[raw[at:end]])
            at = min(end, len(raw))
        return out

    return lambda texts: [one(text) for text in texts]


_last: tuple[tuple[str, str], list[str], list[list[int]]] | None = None


def difference(name: str, texts: list[str]) -> str | None:
    """What is not the same for a file and its library, in words; None where all ids are."""
    return different(ours(name), lambda texts: _asked(name, texts), texts)


def _asked(name: str, texts: list[str]) -> list[list[int]]:
    """The library's ids; the last question is remembered, for files that share a library's."""
    global _last
    if _last is None or _last[0] != FILES[name] or _last[1] != texts:
        _last = (FILES[name], texts, theirs(name)(texts))
    return _last[2]


def different(tok: ca.Tokenizer, peer: Encode, texts: list[str]) -> str | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DroppedBytesWarning)  # falcon's file lacks bytes, as its library knows
        found = tok.encode_batch(texts) if len(texts) > 1 else [tok.encode(text) for text in texts]
    for text, mine, expected in zip(texts, found, peer(texts), strict=True):
        if mine.tolist() != expected:
            return f"{text!r}: {mine.tolist()}, expected {expected}"
    return None
