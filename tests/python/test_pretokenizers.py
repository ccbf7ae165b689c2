"""The hand-written scanners against the regular expressions that they stand for."""

import pytest
import unicodedata2
from cutaway import _core
from hypothesis import example, given, settings
from pretokenizer_patterns import STEPS, pieces
from tokenizer_files import golden_lines
from ugly_texts import BITS, texts

UNICODE_16 = unicodedata2.unidata_version.startswith("16.")


def scanned(name: str, text: str) -> list[str]:
    return [piece.decode() for piece, _ in _core.pretokenize(name, text)]


def settled(text: str) -> bool:
    """Has no code point that a newer Unicode than 16.0 may have given another category."""
    return all(unicodedata2.category(c) not in ("Cn",) or ord(c) >= 0xF0000 for c in text)


@pytest.mark.parametrize("name", STEPS)
@given(text=texts.filter(settled))
@settings(max_examples=500, deadline=None)
@example(text="x" * 63 + "'ll " + "y" * 63 + "'re")  # what a block of 64 bytes cuts
@example(text="x" * 61 + "'" + "s" * 3 + " \n \n  y")
@example(text="don't's 's's DON'T'VE a's'ſ")
def test_ugly_texts(name: str, text: str) -> None:
    assert scanned(name, text) == pieces(name, text)


@pytest.mark.parametrize("name", STEPS)
def test_every_place_in_a_block(name: str) -> None:
    """Each bit of text at each distance from the end of a block."""
    for bit in BITS:
        for before in range(50, 66):
            text = "w" * before + bit + "'s x" + bit + " 12"
            assert scanned(name, text) == pieces(name, text), (before, bit)


@pytest.mark.parametrize("name", STEPS)
def test_lines(name: str) -> None:
    whole = "\n".join(golden_lines()[:1500])
    text = "".join(c for c in whole if settled(c))
    assert scanned(name, text) == pieces(name, text)


def test_names_of_gguf() -> None:
    names = _core.pretokenizers().split(", ")
    assert len(names) == len(set(names))
    same = {
        "gpt-2": "mpt phi-2 olmo jais trillion gigachat",
        "smollm": "starcoder refact command-r codeshell exaone minerva-7b",
        "llama-bpe": "llama3 llama-v3 falcon3 dbrx smaug-bpe chatglm-bpe glm4",
        "qwen2": "deepseek-r1-qwen stablelm2",
        "o200k": "gpt-4o",
    }
    text = "It's 12345 o'clock,\n\n  don'T!  x"
    for name, others in same.items():
        for other in others.split():
            assert scanned(other, text) == scanned(name, text) == pieces(name, text)
    assert set(names) == set(STEPS) | {one for others in same.values() for one in others.split()}


@pytest.mark.parametrize("name", STEPS)
def test_bytes_that_are_no_text(name: str) -> None:
    """Every cut gives the bytes back, in order and without gaps, whatever they are."""
    import random

    rng = random.Random(7)
    for _ in range(300):
        raw = bytes(rng.choice((rng.randrange(256), 32, 97, 0xE4, 0xB8, 0xAD)) for _ in range(rng.randrange(200)))
        cut = [piece for piece, _ in _core.pretokenize(name, raw)]
        assert b"".join(cut) == raw
        assert all(cut)
