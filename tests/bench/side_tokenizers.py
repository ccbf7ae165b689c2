"""Tokenizers as sides of a comparison: one rank file (or the vocabulary of a GGUF file) each, text in, ids out."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

LEAST_SECONDS = 0.1  # of one timing: short texts are encoded again and again


class Tokenizing:
    """A side: `make()` loads it anew; `encode`, and where it has them `count`, `decode` and `batch`."""

    package = ""
    met = 0  # texts that unseen_encoding has given it

    def __init__(self, path: str, threads: int = 1):
        self.path, self.threads = path, threads
        self.made = self.make()

    def make(self) -> Any:
        raise NotImplementedError

    def encode(self, text: str) -> Any:
        return self.made.encode(text)

    def decode(self, ids: Any) -> Any:
        return self.made.decode_bytes(ids)

    def batch(self, texts: list[str]) -> Any:
        return self.made.encode_batch(texts)

    def given(self, ids: np.ndarray) -> Any:
        """Ids as this side takes them."""
        return ids

    def facts(self) -> dict[str, Any]:
        return {"version": metadata.version(self.package)}


class Cutaway(Tokenizing):
    package = "cutaway"

    def make(self) -> Any:
        import cutaway as ca

        return ca.Tokenizer.from_file(self.path)

    def batch(self, texts: list[str]) -> Any:
        return self.made.encode_batch(texts, threads=self.threads)

    def count(self, text: str) -> int:
        return self.made.count(text)

    def facts(self) -> dict[str, Any]:
        import cutaway as ca

        return {"version": ca.__version__}


class Tiktoken(Tokenizing):
    """tiktoken with the ranks of the file and its own pattern and tokens. Ordinary text, as the others have it."""

    package = "tiktoken"

    def make(self) -> Any:
        import tiktoken
        from tiktoken.load import load_tiktoken_bpe
        from tiktoken_ext import openai_public

        path = self.path
        openai_public.load_tiktoken_bpe = lambda *_, **__: load_tiktoken_bpe(path)
        return tiktoken.Encoding(**getattr(openai_public, Path(path).stem)())

    def encode(self, text: str) -> Any:
        return self.made.encode_ordinary(text)

    def decode(self, ids: Any) -> Any:
        return self.made.decode_bytes(ids)

    def batch(self, texts: list[str]) -> Any:
        return self.made.encode_ordinary_batch(texts, num_threads=self.threads)

    def given(self, ids: np.ndarray) -> Any:
        return ids.tolist()


class Gigatoken(Tokenizing):
    package = "gigatoken"

    def make(self) -> Any:
        import gigatoken

        return gigatoken.Tokenizer.from_tiktoken(self.path)

    def batch(self, texts: list[str]) -> Any:
        return self.made.encode_batch(texts)


class RsBpe(Tokenizing):
    """rs-bpe's own cl100k; the file is not looked at."""

    package = "rs_bpe"

    def make(self) -> Any:
        from rs_bpe.bpe import openai

        return openai.cl100k_base()


class BpeOpenai(Tokenizing):
    """bpe-openai's own cl100k; the file is not looked at."""

    package = "bpe-openai"

    def make(self) -> Any:
        import bpe_openai

        return bpe_openai.get_encoding("cl100k_base")


class SentencePiece(Tokenizing):
    package = "sentencepiece"

    def make(self) -> Any:
        from sentencepiece import SentencePieceProcessor

        return SentencePieceProcessor(model_file=self.path)


class GigatokenSentencePiece(Gigatoken):
    def make(self) -> Any:
        import gigatoken

        return gigatoken.Tokenizer.from_sentencepiece(self.path)


class GigatokenWordPiece(Gigatoken):
    """Of the tokenizer.json that tokenizers writes of a vocab.txt."""

    def make(self) -> Any:
        import gigatoken
        from tokenizers import BertWordPieceTokenizer

        with tempfile.TemporaryDirectory() as folder:
            BertWordPieceTokenizer(self.path).save(f"{folder}/tokenizer.json")
            return gigatoken.Tokenizer(f"{folder}/tokenizer.json")


class KitokenSentencePiece(Tokenizing):
    package = "kitoken"

    def make(self) -> Any:
        from kitoken import Kitoken

        return Kitoken.from_sentencepiece_file(self.path)


class WordPiece(Tokenizing):
    """tokenizers' BERT of a vocab.txt."""

    package = "tokenizers"

    def make(self) -> Any:
        from tokenizers import BertWordPieceTokenizer

        return BertWordPieceTokenizer(self.path)

    def encode(self, text: str) -> Any:
        return self.made.encode(text, add_special_tokens=False).ids


class KitokenWordPiece(Tokenizing):
    """kitoken reads the tokenizer.json that tokenizers writes of a vocab.txt."""

    package = "kitoken"

    def make(self) -> Any:
        from kitoken import Kitoken
        from tokenizers import BertWordPieceTokenizer

        with tempfile.TemporaryDirectory() as folder:
            BertWordPieceTokenizer(self.path).save(f"{folder}/tokenizer.json")
            return Kitoken.from_tokenizers_file(f"{folder}/tokenizer.json")


class Transformers(Tokenizing):
    """The fast tokenizer that transformers makes of a GGUF file."""

    package = "tokenizers"

    def make(self) -> Any:
        from transformers import AutoTokenizer

        file = Path(self.path).absolute()
        return AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).backend_tokenizer

    def encode(self, text: str) -> Any:
        return self.made.encode(text, add_special_tokens=False).ids


class TransformersSmolLM(Transformers):
    """With every digit apart, as SmolLM2's own tokenizer.json has it; the conversion from GGUF reads over
    `tokenizer.ggml.pre` and takes GPT-2's pattern alone."""

    def make(self) -> Any:
        from tokenizers import pre_tokenizers

        made = super().make()
        made.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        return made


# ---- what a worker is asked


def ids(side: Tokenizing, text: str) -> np.ndarray:
    return np.asarray(side.encode(text), np.int64)


def batch_ids(side: Tokenizing, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """(the ids of all texts one behind the other, how many each text has)."""
    every = [np.asarray(one, np.int64) for one in side.batch(texts)]
    return np.concatenate(every), np.array([len(one) for one in every])


def text_of(side: Tokenizing, given: np.ndarray) -> bytes:
    return bytes(side.decode(side.given(given)))


def _seconds(job: Callable[[], Any]) -> float:
    """Seconds of one call, among as many as fill the least time."""
    n, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < LEAST_SECONDS or n == 0:
        job()
        n += 1
    return spent / n


def encoding(side: Tokenizing, text: str) -> float:
    return _seconds(lambda: side.encode(text))


def unseen_encoding(side: Tokenizing, text: str) -> float:
    """Seconds of a text that this side has not met: each lacks one more character at its end. A side that remembers
    words of any length would give back a text of one word that it has seen."""
    n, spent = 0, 0.0
    while spent < LEAST_SECONDS:
        n, side.met = n + 1, side.met + 1
        fresh = text[: len(text) - side.met]
        start = time.perf_counter()
        side.encode(fresh)
        spent += time.perf_counter() - start
    return spent / n


def counting(side: Tokenizing, text: str) -> float:
    return _seconds(lambda: side.count(text))  # type: ignore[attr-defined]


def decoding(side: Tokenizing, given: np.ndarray) -> float:
    asked = side.given(given)
    return _seconds(lambda: side.decode(asked))


def batching(side: Tokenizing, texts: list[str]) -> float:
    return _seconds(lambda: side.batch(texts))


def first_encoding(side: Tokenizing, text: str) -> float:
    """Seconds of the first call of a tokenizer that was just loaded."""
    side.made = side.make()
    start = time.perf_counter()
    side.encode(text)
    return time.perf_counter() - start
