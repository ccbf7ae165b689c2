"""Byte-level BPE learned from text, against Hugging Face's trainer."""

import json
import sys

import cutaway as ca
import numpy as np
import pytest
from cutaway.errors import ArgumentError
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_files import golden_lines

hf = pytest.importorskip("tokenizers", reason="the package tokenizers is the reference")
from tokenizers import models, pre_tokenizers, trainers  # noqa: E402

TEXTS = [
    "hello hello world aaaa aaaa aaaaaa aaa",
    "The old lighthouse stood at the edge of the cliff. The keeper's lamp was the old one.",
    "größer größte Größe, наука и науки, 東京都と京都 👩‍👩‍👧 ",
    "def f(x):\n    return x + 1\n\n\ndef g(x):\n    return f(x) + 1\n" * 3,
    "1 22 333 4444 55555",
]


def reference(texts, vocab_size, special=(), min_frequency=0):
    tokenizer = hf.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


@pytest.mark.parametrize("vocab_size", [256, 257, 300, 400, 5000])
def test_the_merges_are_those_of_the_reference(vocab_size):
    ours, theirs = ca.train_bpe(TEXTS, vocab_size), reference(TEXTS, vocab_size)
    model = json.loads(theirs.to_str())["model"]
    assert ours.merges == [tuple(pair) for pair in model["merges"]]
    assert {ours.piece(i): i for i in range(len(ours))} == model["vocab"]
    for text in TEXTS:
        assert ours.encode(text).tolist() == theirs.encode(text).ids


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("ab c'\n1é", max_size=40), min_size=1, max_size=8), st.integers(1, 4))
def test_ties_and_overlaps(texts, min_frequency):
    ours = ca.train_bpe(texts, 290, min_frequency=min_frequency)
    model = json.loads(reference(texts, 290, min_frequency=min_frequency).to_str())["model"]
    assert ours.merges == [tuple(pair) for pair in model["merges"]]


def test_special_tokens_come_first_and_are_text_unless_asked_for(tmp_path):
    special = ["<s>", "</s>"]
    ours, theirs = ca.train_bpe(TEXTS, 320, special_tokens=special), reference(TEXTS, 320, special)
    assert [ours.piece(0), ours.piece(1)] == special and len(ours) == 320
    assert json.loads(theirs.to_str())["model"]["vocab"] == {ours.piece(i): i for i in range(320)}
    text = "<s>hello</s>"
    assert ours.encode(text, parse_special=True).tolist() == theirs.encode(text).ids
    assert 0 not in ours.encode(text) and ours.decode(ours.encode(text)) == text


SCANNERS = [name for name in ca._core.pretokenizers().split(", ")[:12]]


@pytest.mark.parametrize("pretokenizer", SCANNERS)
def test_every_pretokenizer_that_has_a_name(pretokenizer, tmp_path):
    """Trained by the reference under the steps that the saved file has: the same merges, and the same ids."""
    texts = [*TEXTS, *golden_lines()[::5], "a\n \n", "x  \n  ", "don'T 1234 \t\t", "12٣³ ...!?'s"]
    ours = ca.train_bpe(texts, 900, pretokenizer, progress=False)
    path = tmp_path / "tokenizer.json"
    ours.save(path)
    saved = hf.Tokenizer.from_file(str(path))
    theirs = hf.Tokenizer(models.BPE())
    theirs.pre_tokenizer = saved.pre_tokenizer
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    theirs.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=900, initial_alphabet=alphabet, show_progress=False)
    )
    assert ours.merges == [tuple(pair) for pair in json.loads(theirs.to_str())["model"]["merges"]]
    again = ca.Tokenizer.from_file(path)
    assert again.info()["pre"] == pretokenizer
    for text in texts:
        assert again.encode(text).tolist() == ours.encode(text).tolist() == saved.encode(text).ids, text
        assert list(again.explain(text).ids) == saved.encode(text).ids


def test_no_engine_for_expressions_is_needed_where_a_scanner_stands_in(tmp_path, monkeypatch):
    """DeepSeek's and BLOOM's expressions are several steps, each of which alone would need the package regex."""
    monkeypatch.setitem(sys.modules, "regex", None)
    for pretokenizer in SCANNERS:
        path = tmp_path / f"{pretokenizer}.json"
        ca.train_bpe(TEXTS, 300, pretokenizer, progress=False).save(path)
        tok = ca.Tokenizer.from_file(path)
        assert list(tok.explain(TEXTS[2]).ids) == tok.encode(TEXTS[2]).tolist()
    document = json.loads(path.read_text("utf-8"))
    document["pre_tokenizer"]["pretokenizers"].insert(0, {"type": "Digits", "individual_digits": True})
    path.write_text(json.dumps(document), "utf-8")
    with pytest.raises(ca.Error, match="the package 'regex' is needed"):
        ca.Tokenizer.from_file(path)


@pytest.mark.parametrize("pretokenizer", ["gpt-2", "smollm", "llama-bpe", "o200k", "qwen2"])
def test_a_saved_tokenizer_is_read_by_us_and_by_the_reference(tmp_path, pretokenizer):
    ours = ca.train_bpe(TEXTS, 350, pretokenizer)
    path = tmp_path / "tokenizer.json"
    ours.save(path)
    again, theirs = ca.Tokenizer.from_file(path), hf.Tokenizer.from_file(str(path))
    for text in TEXTS:
        assert again.encode(text).tolist() == ours.encode(text).tolist() == theirs.encode(text).ids
        assert theirs.decode(theirs.encode(text).ids) == again.decode(again.encode(text)) == text


def test_bytes_and_generators_are_texts():
    from_bytes = ca.train_bpe((text.encode() for text in TEXTS), 300)
    assert from_bytes.merges == ca.train_bpe(TEXTS, 300).merges
    raw = ca.train_bpe([b"\xff\xfe\xff\xfe\xff\xfe"], 257)
    assert raw.encode(b"\xff\xfe").tolist() == [256]
    assert isinstance(raw.encode("a"), np.ndarray)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((TEXTS, 255), "vocab_size is 255, expected 256"),
        ((TEXTS, 257, "gpt-2", ["a", "b"]), "expected 258 .* and 2 special tokens"),
        (("one text", 300), "wrap it in a list"),
        ((5, 300), "train_bpe takes texts"),
        (([1, 2], 300), r"texts\[0\] is "),
        ((TEXTS, 300.5), "vocab_size is a whole number"),
        ((TEXTS, 300, "gpt2"), "Did you mean gpt-2"),
        ((TEXTS, 300, "gpt-2", ["x", "x"]), "names one token twice"),
        ((TEXTS, 300, "gpt-2", "x"), "special_tokens is a list"),
    ],
)
def test_what_it_refuses(arguments, message):
    texts, size, *rest = arguments
    keywords = dict(zip(("pretokenizer", "special_tokens"), rest, strict=False))
    with pytest.raises(ArgumentError, match=message):
        ca.train_bpe(texts, size, **keywords)
