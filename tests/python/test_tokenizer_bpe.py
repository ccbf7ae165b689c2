"""Byte-level BPE from rank files: vectors, tiktoken, worst cases, what a text may hold."""

from __future__ import annotations

import json
import random
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any

import cutaway as ca
import numpy as np
import pytest
from conftest import shared_folder
from hypothesis import given, settings
from ugly_texts import texts

RANKS = {
    "r50k_base": "r50k_base.tiktoken",
    "p50k_base": "p50k_base.tiktoken",
    "cl100k_base": "cl100k_base.tiktoken",
    "o200k_base": "o200k_base.tiktoken",
    "llama3": "llama3.tiktoken.model",
}


def shared_file(name: str) -> Path:
    folder = shared_folder()
    path = folder / "conformance" / name if folder else None
    if path is None or not path.exists():
        pytest.skip(f"../shared/conformance/{name} is not here; set CUTAWAY_SHARED to the folder that holds it")
    return path


def ranks(name: str) -> Path:
    return shared_file(f"tokenizers/{RANKS[name]}")


@cache
def tokenizer(name: str) -> ca.Tokenizer:
    return ca.Tokenizer.from_file(ranks(name))


@cache
def reference(name: str) -> Any:
    tiktoken = pytest.importorskip("tiktoken")
    load = pytest.importorskip("tiktoken.load").load_tiktoken_bpe
    public = pytest.importorskip("tiktoken_ext.openai_public")
    if name == "llama3":
        from pretokenizer_patterns import LLAMA3

        return tiktoken.Encoding(name, pat_str=LLAMA3, mergeable_ranks=load(str(ranks(name))), special_tokens={})
    ours = pytest.MonkeyPatch()
    ours.setattr(public, "load_tiktoken_bpe", lambda *_, **__: load(str(ranks(name))))
    try:
        return tiktoken.Encoding(**getattr(public, name)())
    finally:
        ours.undo()


@pytest.mark.parametrize("name", RANKS)
def test_vectors(name: str) -> None:
    vectors = json.loads(shared_file("tokenizers/vectors_20_tokenizers.json").read_text())
    expected = vectors["ids"][f"tiktoken:{name}"]
    assert len(expected) == len(vectors["inputs"]) == 46
    for text, ids in zip(vectors["inputs"], expected, strict=True):
        assert tokenizer(name).encode(text).tolist() == ids
        assert tokenizer(name).count(text) == len(ids)
        assert tokenizer(name).decode(ids) == text


@pytest.mark.parametrize("name", RANKS)
@given(text=texts)
@settings(max_examples=500, deadline=None)
def test_against_tiktoken(name: str, text: str) -> None:
    """Ids, the count, the spans' ids and every token's bytes; the words that the cache has seen change nothing."""
    ids = reference(name).encode_ordinary(text)
    tok = tokenizer(name)
    assert tok.encode(text).tolist() == ids
    assert tok.count(text) == len(ids)
    raw, spans = text.encode(), tok.offsets(text.encode())
    assert [raw[begin:end] for begin, end in spans] == [tok.token_bytes(i) for i in ids]
    assert [i for piece in tok._core.explain(text, False, False) for i in piece[3]] == ids
    assert tok.decode(ids) == text


@pytest.mark.parametrize("name", ["r50k_base", "cl100k_base", "o200k_base"])
@pytest.mark.parametrize("file", ["botchan.txt", "wagahaiwa_nekodearu.txt"])
def test_books(name: str, file: str) -> None:
    text = shared_file(f"tokenizers/{file}").read_text(encoding="utf-8")
    ids = tokenizer(name).encode(text)
    assert ids.tolist() == reference(name).encode_ordinary(text)
    assert tokenizer(name).decode(ids) == text


def test_what_books_print() -> None:
    tok = tokenizer("o200k_base")
    assert tok.encode("Hello, world! This is tokenization.").tolist() == [13225, 11, 2375, 0, 1328, 382, 6602, 2860, 13]
    assert tok.count("What is the capital of France?") == 7
    assert tok.count("What is the meaning of life, the universe, and everything?") == 13
    assert len(tok) == 200_019
    assert len(tokenizer("cl100k_base")) == 100_277
    assert len(tokenizer("r50k_base")) == 50_257
    assert len(tokenizer("p50k_base")) == 50_281
    assert len(tokenizer("llama3")) == 128_256


@pytest.mark.parametrize("name", ["cl100k_base", "o200k_base"])
def test_long_words(name: str) -> None:
    """Words of many lengths: short and long caches, cutting between tokens, the heap, repeated characters."""
    rng = random.Random(3)
    tok, ref = tokenizer(name), reference(name)
    alphabets = (
        "ab",
        "abcdefghijklmnopqrstuvwxyz",
        "的一是不了人我在有他这为之大来以个中上们",
        "привет",
        "a中é",
        "- ",
        "哈",
        "=",
    )
    for length in (1, 2, 14, 15, 16, 17, 38, 63, 64, 65, 95, 96, 97, 200, 700, 1024, 1500, 3000):
        for alphabet in alphabets:
            text = "".join(rng.choice(alphabet) for _ in range(length))
            for _ in range(2):  # the second time from the cache
                assert tok.encode(text).tolist() == ref.encode_ordinary(text), (alphabet, length)


def test_words_come_back_after_others() -> None:
    """More distinct words than the cache can hold."""
    rng = random.Random(5)
    tok, ref = tokenizer("cl100k_base"), reference("cl100k_base")
    words = ["".join(rng.choice("etaoinshrdlu") for _ in range(rng.randrange(1, 40))) for _ in range(60_000)]
    text = " ".join(words + words[:5_000])
    assert tok.encode(text).tolist() == ref.encode_ordinary(text)


def test_special_tokens() -> None:
    tok = tokenizer("cl100k_base")
    text = "a<|endoftext|>b<|fim_prefix|><|nothing|>"
    assert 100_257 not in tok.encode(text)
    ids = tok.encode(text, parse_special=True)
    assert ids.tolist() == reference("cl100k_base").encode(text, allowed_special="all")
    assert tok.decode(ids) == text
    assert tok.decode(ids, skip_special_tokens=True) == "ab<|nothing|>"
    assert tok.count(text, parse_special=True) == len(ids)
    assert tok.token_type(100_257) == "control"
    assert tok.token_type(100_256) == "unused"  # between the ranks and the special tokens there is nothing
    assert tok.token_bytes(100_256) == b""
    assert tokenizer("llama3").encode("x", add_special_tokens=True).tolist()[0] == 128_000


@pytest.mark.parametrize("name", RANKS)
def test_any_bytes_come_back(name: str) -> None:
    tok, rng = tokenizer(name), random.Random(11)
    raw = [bytes(rng.randrange(256) for _ in range(rng.randrange(40))) for _ in range(3000)]
    for one, ids in zip(raw, tok.encode_batch(raw), strict=True):
        assert tok.decode_bytes(ids) == one
        assert tok.count(one) == len(ids)


def test_lone_surrogate() -> None:
    for call in (tokenizer("cl100k_base").encode, tokenizer("cl100k_base").count):
        with pytest.raises(ca.ArgumentError, match="surrogate at position 2"):
            call("ab\ud800c")


def test_decode() -> None:
    tok, rng = tokenizer("o200k_base"), np.random.default_rng(1)
    ids = rng.integers(0, 199_998, 20_000, dtype=np.int32)
    assert tok.decode_bytes(ids) == b"".join(tok.token_bytes(int(i)) for i in ids)
    assert tok.decode_bytes(ids) == reference("o200k_base").decode_bytes(ids.tolist())
    assert tok.decode(ids) == reference("o200k_base").decode(ids.tolist())
    assert tok.decode([]) == ""
    with pytest.raises(ca.ArgumentError, match="200019 at position 1"):
        tok.decode([1, 200_019])


def test_batch_is_encode_of_each() -> None:
    tok = tokenizer("cl100k_base")
    lines = [*shared_file("tokenizers/botchan.txt").read_text(encoding="utf-8").splitlines(), "", "x" * 200000]
    for threads in (1, 2, None):
        batch = tok.encode_batch(lines, threads=threads)
        assert len(batch) == len(lines)
        assert all(np.array_equal(one, tok.encode(line)) for one, line in zip(batch, lines, strict=True))
        assert all(one.dtype == np.int32 for one in batch)
    assert tok.encode_batch([]) == []
    with pytest.raises(ca.ArgumentError, match="surrogate"):
        tok.encode_batch(["a", "\ud800"])
    with pytest.raises(ca.ArgumentError, match="threads"):
        tok.encode_batch(["a"], threads=0)


def test_one_tokenizer_in_many_threads() -> None:
    tok = ca.Tokenizer.from_file(ranks("cl100k_base"))
    text = shared_file("tokenizers/botchan.txt").read_text(encoding="utf-8")[:60_000]
    expected, wrong = tok.encode(text), []

    def work(shift: int) -> None:
        for _ in range(5):
            if not np.array_equal(tok.encode(text), expected) or tok.count(text[shift:]) <= 0:
                wrong.append(shift)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


MIB = 1 << 20


@pytest.mark.parametrize(
    "text",
    [
        "a" * MIB,
        " " * MIB,
        "的" * (MIB // 3),
        "哈" * (MIB // 3),
        "".join(random.Random(2).choices("abcdefghijklmnopqrstuvwxyz", k=MIB)),
    ],
    ids=["one letter", "spaces", "one character", "a character that tokens repeat", "letters at random"],
)
def test_worst_cases_are_linear(text: str) -> None:
    """Four times the text takes about four times as long, where a quadratic algorithm takes sixteen times. The bound
    leaves room for a busy machine."""
    tok = ca.Tokenizer.from_file(ranks("cl100k_base"))

    def best(part: str) -> float:
        times = []
        for _ in range(3):
            start = time.perf_counter()
            ids = tok.encode(part)
            times.append(time.perf_counter() - start)
        assert tok.decode(ids) == part
        return min(times)

    quarter, whole = best(text[: len(text) // 4]), best(text)
    assert whole < max(10 * quarter, 0.05)
