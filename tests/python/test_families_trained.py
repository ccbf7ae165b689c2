"""Families of byte-level BPE with no file in ../shared/conformance: a vocabulary of 5,000 merges, trained under the
pattern of the family and written as its tokenizer.json and its GGUF file are, against `tokenizers`."""

from __future__ import annotations

import json
import unicodedata
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import cutaway as ca
import pytest
import tokenizers
from cutaway import _core
from fuzzing import FUZZ, PROFILE, amount
from hard_lines import hard_lines
from hypothesis import example, given
from make_files import write_gguf
from peers import Encode, different, of_tokenizers
from pretokenizer_patterns import CASED, HAN_AND_MORE
from tokenizer_files import golden_lines
from translations import translations
from ugly_texts import texts

MERGES = 5000
CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
WORDS = r"|[^\r\n\p{L}\p{N}]?\p{L}+|"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = CONTRACTIONS + WORDS + r"\p{N}{1,3}" + REST
QWEN2 = CONTRACTIONS + WORDS + r"\p{N}" + REST
UPPER, LOWER = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
SLASHES = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K = f"{UPPER}*{LOWER}+{CONTRACTIONS}?|{UPPER}+{LOWER}*{CONTRACTIONS}?" + r"|\p{N}{1,3}" + SLASHES
TEKKEN = f"{UPPER}*{LOWER}+|{UPPER}+{LOWER}*" + r"|\p{N}" + SLASHES
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"
DEEPSEEK_V3 = (  # with line breaks as themselves, as its file has them
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
    "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
)
DIGITS = {"type": "Digits", "individual_digits": True}


def byte_level(use_regex: bool) -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


def splits(*expressions: str, digits: bool = False, inverted: bool = False) -> list[dict[str, Any]]:
    how = {"behavior": "Removed", "invert": True} if inverted else {"behavior": "Isolated", "invert": False}
    steps = [{"type": "Split", "pattern": {"Regex": one}, **how} for one in expressions]
    return [*steps, *[DIGITS] * digits, byte_level(False)]


class Family(NamedTuple):
    scanner: str  # of pretokenizers.def
    names: str  # in tokenizer.ggml.pre
    steps: list[dict[str, Any]]  # of its tokenizer.json
    normalizer: str | None = None
    ignore_merges: bool = False


FAMILIES = {
    "GPT-2": Family("gpt-2", "gpt-2", [byte_level(True)]),
    "MPT": Family("gpt-2", "mpt", [byte_level(True)], "NFC"),
    "SmolLM": Family("smollm", "smollm", [DIGITS, byte_level(True)]),
    "StarCoder": Family("smollm", "starcoder refact", [DIGITS, byte_level(True)]),
    "Llama 3": Family("llama-bpe", "llama-bpe", splits(LLAMA3), ignore_merges=True),
    "GLM-4": Family("llama-bpe", "glm4", splits(LLAMA3, inverted=True)),
    "Qwen 2 and 3": Family("qwen2", "qwen2", splits(QWEN2), "NFC"),
    "o200k_harmony": Family("o200k", "gpt-4o", splits(O200K)),
    "Tekken": Family("tekken", "tekken", splits(TEKKEN), ignore_merges=True),
    "BLOOM": Family("bloom", "bloom", splits(BLOOM)),
    "DeepSeek LLM": Family(
        "deepseek-llm",
        "deepseek-llm",
        splits("[\r\n]", rf"\s?[{CASED}]+", r"\s?[!-/:-~！-／：-～‘-‟\u3000-。]+".replace(r"\u3000", "\u3000"), r"\s+$",
               HAN_AND_MORE.replace(r"\u0800", "\u0800").replace(r"\uD7FF", "\ud7ff"), digits=True),
    ),
    "DeepSeek Coder": Family(
        "deepseek-coder",
        "deepseek-coder",
        splits("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", HAN_AND_MORE.replace(r"\u0800", "\u0800").replace(r"\uD7FF", "\ud7ff"),
               digits=True),
    ),
    "DeepSeek V3": Family("deepseek-v3", "deepseek-v3", splits(r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+", DEEPSEEK_V3)),
}  # fmt: skip


class Trained(NamedTuple):
    json: ca.Tokenizer
    gguf: list[ca.Tokenizer]
    peer: Encode
    texts_of_both: bool  # GGUF has no normaliser


@cache
def vocabulary(scanner: str) -> tuple[list[str], list[list[int]]]:
    """Pieces and merges, trained on lines of 27 scripts and on code."""
    lines = [*golden_lines(), *hard_lines()["Python"], *hard_lines()["C++"], *hard_lines()["JSON"]]
    tokens, merges = _core.train_bpe(lines, 256 + MERGES, scanner, [], 0, lambda ids: None)
    letters = ca.reference.tokenizer.byte_characters()
    return ["".join(letters[b] for b in token) for token in tokens], merges.tolist()


@cache
def trained(name: str) -> Trained:
    family = FAMILIES[name]
    pieces, merges = vocabulary(family.scanner)
    spelled = [[pieces[left], pieces[right]] for left, right in merges]
    document = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "post_processor": None,
        "normalizer": {"type": family.normalizer} if family.normalizer else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": family.steps},
        "decoder": byte_level(True),
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
            "fuse_unk": False, "byte_fallback": False, "ignore_merges": family.ignore_merges,
            "vocab": {piece: i for i, piece in enumerate(pieces)}, "merges": spelled,
        },
    }  # fmt: skip
    with TemporaryDirectory() as folder:
        path = Path(folder, "tokenizer.json")
        path.write_text(json.dumps(document), "utf-8")
        keys = {
            "general.architecture": ("string", "llama"),
            "tokenizer.ggml.model": ("string", "gpt2"),
            "tokenizer.ggml.tokens": ("array[string]", pieces),
            "tokenizer.ggml.token_type": ("array[i32]", [1] * len(pieces)),
            "tokenizer.ggml.merges": ("array[string]", [" ".join(pair) for pair in spelled]),
        }
        gguf = [
            write_gguf(Path(folder, f"{pre}.gguf"), {**keys, "tokenizer.ggml.pre": ("string", pre)})
            for pre in family.names.split()
        ]
        peer = of_tokenizers(tokenizers.Tokenizer.from_file(str(path)))
        return Trained(
            ca.Tokenizer.from_file(path), [ca.Tokenizer.from_file(one) for one in gguf], peer, not family.normalizer
        )


def check(name: str, lines: list[str]) -> None:
    one = trained(name)
    assert different(one.json, one.peer, lines) is None
    if not one.texts_of_both:
        lines = [line for line in lines if unicodedata.is_normalized("NFC", line)]
    for tok in one.gguf:
        assert different(tok, one.peer, lines) is None


@pytest.mark.parametrize("name", FAMILIES)
def test_it_is_the_vocabulary_of_its_pattern(name: str) -> None:
    one = trained(name)
    assert len(one.json) == 256 + MERGES
    assert one.json.info()["pre"] == FAMILIES[name].scanner  # read as the scanner, not run as regular expressions
    assert [tok.info()["pre"] for tok in one.gguf] == FAMILIES[name].names.split()


@pytest.mark.parametrize("name", FAMILIES)
def test_lines_of_many_languages(name: str) -> None:
    known = translations(FUZZ)
    check(name, [line for language in known for line in known[language][: amount(200, 10**6)]])


@pytest.mark.parametrize("name", FAMILIES)
def test_hard_lines(name: str) -> None:
    for lines in hard_lines().values():
        check(name, lines)
    check(name, golden_lines())


@given(texts)
@PROFILE
@example("12345 \U00011de0\U00011de1x \U00016ff41 ١٢٣a ²½")  # numbers of Unicode 17 among them, which Digits knows
@example(" \n a\r\n\r\n  b!\n!\t\u3000。 c  ")
@example("ὟaΏ ẞ \u1f7d\u2126 x\u212ay")
def test_any_text(text: str) -> None:
    """Every family; what explain() shows, which goes another way, has the same ids."""
    for i, name in enumerate(FAMILIES):
        one = trained(name)
        assert (problem := different(one.json, one.peer, [text])) is None, f"{name}: {problem}"
        if FUZZ or i == len(text) % len(FAMILIES):
            assert list(one.json.explain(text).ids) == one.json.encode(text).tolist(), name
        if one.texts_of_both:
            for tok in one.gguf:
                assert (problem := different(tok, one.peer, [text])) is None, f"{name}, GGUF: {problem}"


@pytest.mark.parametrize("name", FAMILIES)
def test_a_long_word(name: str) -> None:
    size = amount(1 << 16, 1 << 20)
    check(name, ["a" * size, "".join(golden_lines()).replace(" ", "")[:size], " " * size + "x", "7" * size])


def test_the_two_files_of_one_model_side_by_side() -> None:
    """`ca.diff_tokenizers` of GGUF and tokenizer.json finds nothing where they say the same, and the place where GGUF cannot
    say what the other does: the normaliser of MPT."""
    one, mpt = trained("SmolLM"), trained("MPT")
    assert not ca.diff_tokenizers(one.gguf[0], one.json, "\n".join(golden_lines()[:100])).differences
    (place,) = ca.diff_tokenizers(mpt.gguf[0], mpt.json, "plain words, an e\u0301, and plain words").differences
    assert "e\u0301".encode() in place.text and place.a_ids != place.b_ids
