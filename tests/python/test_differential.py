"""Every tokenizer file of ../shared/conformance/tokenizers against the library that it is of, id by id. `make fuzz` looks
longer: at every language, whole mebibytes, 50,000 examples of hypothesis and a million strings of bytes."""

from __future__ import annotations

import random

import cutaway as ca
import numpy as np
import pytest
from fuzzing import FUZZ, PROFILE, amount
from hard_lines import N, hard_lines
from hypothesis import given
from hypothesis import strategies as st
from peers import FILES, conformance_file, difference, different, encoding, ours, theirs
from pretokenizer_patterns import pieces
from translations import LANGUAGES, translations
from ugly_texts import BITS

MIB = 1 << 20
# What stands for itself in some file, or looks as if it did.
SPELLED = [
    "<|endoftext|>", "<|startoftext|>", "<s>", "</s>", "<unk>", "<pad>", "<mask>", "[MASK]", "[CLS]", "[UNK]", ">>TITLE<<",
    "<extra_id_3>", "<|fr|>", "<|0.00|>", "<|user|>", "<0x41>", "<0x0A>", "⹛", "½\u1ad9", "¾\U000bd4f3", "▁", "▁▁", "▁the", " ▁", "</w>", "##ing", "Ġ", "Ċ", "Ä",
]  # fmt: skip
TEXTS = st.lists(st.one_of(st.sampled_from([*BITS, *SPELLED]), st.text(max_size=6)), max_size=16).map("".join)


@pytest.mark.parametrize("name", FILES)
def test_a_thousand_lines_of_each_language(name: str) -> None:
    known = translations(FUZZ)
    assert set(LANGUAGES) <= set(known) and all(len(known[language]) >= N for language in LANGUAGES)
    lines = [line for language in known for line in known[language][: amount(N, 10**6)]]
    assert difference(name, lines) is None


@pytest.mark.parametrize("name", FILES)
def test_code_json_emoji_marks_directions_line_ends_and_nul(name: str) -> None:
    kinds = hard_lines()
    assert [len(lines) for lines in kinds.values()] == [N] * 9
    assert difference(name, [line for lines in kinds.values() for line in lines]) is None


@given(TEXTS)
@PROFILE
def test_any_text(text: str) -> None:
    """One text, every tokenizer."""
    for name in FILES:
        assert (problem := difference(name, [text])) is None, f"{name}: {problem}"


def test_every_character_after_another() -> None:
    """T5's normaliser reads grapheme clusters, and drops what stands behind the first character that it rewrites."""
    every = [f"²{chr(cp)}x" for cp in range(0x80, amount(0x10000, 0x20000)) if not 0xD800 <= cp < 0xE000]
    assert difference("t5.tokenizer.json", every) is None


WHOLE = ["cl100k_base.tiktoken", "roberta.tokenizer.json", "t5.unigram.model", "sp-test-ja.model"]


@pytest.mark.parametrize("name", FILES)
def test_a_mebibyte_of_one_character_and_one_without_spaces(name: str) -> None:
    size = MIB if FUZZ or name in WHOLE else MIB // 32
    book = conformance_file("botchan.txt").read_text("utf-8")
    texts = ["a" * size, "".join((book * 6).split())[:size]] + [" " * size, "字" * (size // 3)] * FUZZ
    assert [len(text) for text in texts[:2]] == [size, size]
    if name in ("o200k_base.tiktoken", "llama3.tiktoken.model"):  # tiktoken's own cutting runs out of its stack here
        alone = encoding(conformance_file(name))._encode_single_piece
        cut = "o200k" if "o200k" in name else "llama-bpe"
        peer = lambda texts: [[i for piece in pieces(cut, text) for i in alone(piece)] for text in texts]  # noqa: E731
        assert different(ours(name), peer, texts) is None
    else:
        assert difference(name, texts) is None


@pytest.mark.parametrize("name", FILES)
def test_lone_surrogates_are_errors_with_their_position(name: str) -> None:
    tok = ours(name)
    for text, at in (("\ud800", 0), ("ab\udfffc", 2), ("😀é\udc80", 2), ("ok \ud83d\ude00", 3)):
        for call in (
            tok.encode,
            tok.count,
            tok.offsets,
            tok.explain,
            lambda text, tok=tok: tok.encode_batch(["ok", text]),
        ):
            with pytest.raises(ca.ArgumentError, match=f"lone surrogate at position {at}"):
                call(text)


# In these every byte has a token, and nothing is rewritten before it is cut: what comes in goes out.
EXACT = [name for name, (kind, _) in FILES.items() if kind in ("tiktoken", "reading")]
EXACT += ["phi2.tokenizer.json", "roberta.tokenizer.json", "whisper.tokenizer.json"]
SPACED = [
    "llama2.spm.model",
    "mistral-v1.spm.model",
    "mistral-v3.spm.model",
    "ggml-vocab-llama-spm.gguf",
    "ggml-vocab-phi-3.gguf",
]


def byte_strings(n: int, seed: int) -> list[bytes]:
    """Up to 40 bytes each: any, pieces of UTF-8 among ASCII, and characters with a byte that is wrong."""
    rng = np.random.default_rng(seed)
    blob = rng.integers(0, 256, 20 * n, dtype=np.uint8)
    frequent = np.frombuffer(b" ae'\n0.\xe4\xb8\xad\xf0\x9f\x98\x80\xc3\xa9\xcc\x81\xff", np.uint8)
    blob = np.where(rng.random(20 * n) < 0.6, frequent[rng.integers(0, len(frequent), 20 * n)], blob).tobytes()
    ends = np.sort(rng.integers(0, len(blob), n - 1)).tolist()
    return [blob[begin:end] for begin, end in zip([0, *ends], [*ends, len(blob)], strict=True)]


@pytest.mark.parametrize("name", [*EXACT, *SPACED])
def test_random_bytes_come_back(name: str) -> None:
    tok = ours(name)
    for part in range(amount(1, 100)):
        raw = byte_strings(10_000, part)
        for one, ids in zip(raw, tok.encode_batch(raw), strict=True):
            # SentencePiece writes a space as U+2581 and cannot tell the two apart.
            expected = one.replace("▁".encode(), b" ") if name in SPACED else one
            assert tok.decode_bytes(ids) == expected
            assert name in SPACED or tok.count(one) == len(ids)


@pytest.mark.filterwarnings("ignore::cutaway.tokenization.DroppedBytesWarning")  # of bytes that no text has
@pytest.mark.parametrize("name", FILES)
def test_bytes_of_a_text_are_the_text(name: str) -> None:
    """A text as bytes has the ids that it has as str, and bytes that are no text are never an error."""
    tok, rng = ours(name), random.Random(4)
    lines = rng.sample(hard_lines()["combining marks"], 50)
    assert [tok.encode(line.encode()).tolist() for line in lines] == [tok.encode(line).tolist() for line in lines]
    for raw in byte_strings(500, 7):
        assert all(0 <= i < len(tok) for i in tok.encode(raw))
        assert tok.count(raw) == len(tok.encode(raw)) == len(tok.offsets(raw))


def test_every_file_of_the_folder_is_here() -> None:
    there = {
        path.name
        for path in conformance_file("README").parent.iterdir()
        if path.suffix in (".tiktoken", ".model", ".gguf") or path.name.endswith(("tokenizer.json", "vocab.txt"))
        or path.name.startswith("rwkv")
    }  # fmt: skip
    assert there == set(FILES)
    assert all(theirs(name) is not None for name in FILES)
