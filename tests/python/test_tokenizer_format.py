"""Vocabularies that are not what they should be: each a FormatError that names the file and the key."""

import random
import time

import cutaway as ca
import pytest
from cutaway.reference import tokenizer as twin
from cutaway.tokenization import Tokenizer
from make_files import gguf_bytes
from tokenizer_files import metadata, small_bpe, small_spm, write

BPE, SPM = small_bpe(), small_spm()
N = len(BPE.pieces)


def changed(values, at, value):
    out = list(values)
    out[at] = value
    return out


BROKEN_BPE = {
    "no model": ({"model": None}, "tokenizer.ggml.model.*missing"),
    "model of another kind": ({"model": ("string", "nothing")}, "tokenizer.ggml.model.*'nothing'.*gpt2, llama"),
    "model of the wrong type": ({"model": ("u32", 1)}, "tokenizer.ggml.model"),
    "no pre": ({"pre": None}, "tokenizer.ggml.pre.*missing.*gpt-2, smollm"),
    "unknown pre": ({"pre": ("string", "nothing")}, "tokenizer.ggml.pre.*'nothing'.*gpt-2, smollm"),
    "the converter's silent default": ({"pre": ("string", "default")}, "tokenizer.ggml.pre.*'default'"),
    "no tokens": ({"tokens": None}, "tokenizer.ggml.tokens.*missing"),
    "empty tokens": ({"tokens": ("array[string]", [])}, "tokenizer.ggml.tokens.*0 entries"),
    "tokens that are numbers": ({"tokens": ("array[u32]", [1, 2])}, "tokenizer.ggml.tokens"),
    "token twice": (
        {"tokens": ("array[string]", changed(BPE.pieces, 5, BPE.pieces[7]))},
        "tokenizer.ggml.tokens.*5 and 7 are both",
    ),
    "token not UTF-8": (
        {"tokens": ("array[string]", changed(BPE.pieces, 9, b"\xff"))},
        "tokenizer.ggml.tokens.*token 9.*UTF-8",
    ),
    "types too short": ({"token_type": ("array[i32]", BPE.types[:-1])}, f"token_type.*{N - 1} entries.*{N}"),
    "types too long": ({"token_type": ("array[i32]", [*BPE.types, 1])}, f"token_type.*{N + 1} entries"),
    "types that are floats": ({"token_type": ("array[f32]", BPE.types)}, "token_type"),
    "type 0": ({"token_type": ("array[i32]", changed(BPE.types, 3, 0))}, "token_type.*token 3 has type 0"),
    "type 7": ({"token_type": ("array[i32]", changed(BPE.types, 3, 7))}, "token_type.*token 3 has type 7"),
    "type -1": ({"token_type": ("array[i32]", changed(BPE.types, 3, -1))}, "token_type.*token 3 has type -1"),
    "byte that is none": ({"token_type": ("array[i32]", changed(BPE.types, 3, 6))}, "token_type.*token 3.*byte"),
    "scores of another length": ({"scores": ("array[f32]", [0.0])}, "scores.*1 entries"),
    "no merges": ({"merges": None}, "tokenizer.ggml.merges.*missing"),
    "merges that are a string": ({"merges": ("string", "a b")}, "tokenizer.ggml.merges"),
    "merge without a space": ({"merges": ("array[string]", ["ab"])}, "merges.*entry 0 is 'ab'"),
    "merge of nothing": ({"merges": ("array[string]", [""])}, "merges.*entry 0"),
    "merge with an empty part": ({"merges": ("array[string]", ["a "])}, "merges.*entry 0"),
    "merge of an unknown piece": ({"merges": ("array[string]", ["e r", "zzz q"])}, "merges.*entry 1 'zzz q'.*'zzz'"),
    "merge into an unknown piece": ({"merges": ("array[string]", ["Q X"])}, "merges.*'Q X'.*'QX'"),
    "merge twice": ({"merges": ("array[string]", [*BPE.merges, BPE.merges[3]])}, "merges.*twice"),
    "bos out of range": ({"bos_token_id": ("u32", N)}, f"bos_token_id.*is {N}.*{N}"),
    "eos minus one": ({"eos_token_id": ("i32", -1)}, "eos_token_id.*-1"),
    "eot as a string": ({"eot_token_id": ("string", "x")}, "eot_token_id"),
    "eom out of range": ({"eom_token_id": ("u64", 2**63)}, "eom_token_id"),
    "pad out of range": ({"padding_token_id": ("u32", 0xFFFFFFFF)}, "padding_token_id"),
    "unk out of range": ({"unknown_token_id": ("u32", 10**6)}, "unknown_token_id"),
    "add_bos as a number": ({"add_bos_token": ("u32", 1)}, "add_bos_token.*bool"),
    "add_bos without a bos": ({"add_bos_token": ("bool", True)}, "add_bos_token.*bos_token_id.*missing"),
    "add_sep": ({"add_sep_token": ("bool", True)}, "add_sep_token"),
    "space prefix": ({"add_space_prefix": ("bool", True)}, "add_space_prefix"),
    "a key nobody knows": ({"shuffle": ("bool", True)}, "tokenizer.ggml.shuffle.*not understood"),
    "template not UTF-8": ({"tokenizer.chat_template": ("string", b"\xff")}, "chat template.*UTF-8"),
    "template as a list": ({"tokenizer.chat_template": ("array[string]", ["x"])}, "tokenizer.chat_template"),
}
M = len(SPM.pieces)
BROKEN_SPM = {
    "no scores": ({"scores": None}, "tokenizer.ggml.scores.*missing"),
    "scores too short": ({"scores": ("array[f32]", SPM.scores[1:])}, f"scores.*{M - 1} entries.*{M}"),
    "scores that are integers": ({"scores": ("array[i32]", [0] * M)}, r"scores.*array\[i32\].*array\[f32\]"),
    "scores that are strings": ({"scores": ("array[string]", ["0"] * M)}, "scores"),
    "score nan": ({"scores": ("array[f32]", changed(SPM.scores, 4, float("nan")))}, "scores.*token 4"),
    "score inf": ({"scores": ("array[f32]", changed(SPM.scores, 4, float("-inf")))}, "scores.*token 4"),
    "a pre-tokenizer": ({"pre": ("string", "smollm")}, "tokenizer.ggml.pre.*'smollm'"),
    "255 byte tokens": (
        {"token_type": ("array[i32]", changed(SPM.types, SPM.pieces.index("<0x41>"), 1))},
        "255 byte tokens",
    ),
    "a byte twice": (
        {"tokens": ("array[string]", changed(SPM.pieces, SPM.pieces.index("<0xAB>"), "<0xac>"))},
        "same byte",
    ),
    "charsmap": ({"precompiled_charsmap": ("array[u8]", [1, 2])}, "precompiled_charsmap"),
    "extra white space": ({"remove_extra_whitespaces": ("bool", True)}, "remove_extra_whitespaces"),
}
CASES = [(BPE, *case) for case in BROKEN_BPE.values()] + [(SPM, *case) for case in BROKEN_SPM.values()]


@pytest.mark.parametrize(("vocabulary", "changes", "message"), CASES, ids=[*BROKEN_BPE, *BROKEN_SPM])
def test_broken_vocabulary(tmp_path, vocabulary, changes, message):
    path = write(tmp_path / "broken.gguf", vocabulary, **changes)
    begin = time.perf_counter()
    with pytest.raises(ca.FormatError, match=message) as raised:
        Tokenizer.from_file(path)
    assert time.perf_counter() - begin < 0.1
    assert "broken.gguf" in str(raised.value)


def test_types_may_be_absent(tmp_path):
    tok = Tokenizer.from_file(write(tmp_path / "plain.gguf", BPE, token_type=None))
    assert {tok.token_type(i) for i in range(len(tok))} == {"normal"}
    assert tok.encode("<b>the", parse_special=True).tolist() == twin.BytePairs(
        twin.Vocabulary(BPE.pieces, [1] * N, merges=BPE.merges, pre="smollm")
    ).encode("<b>the")


def test_an_empty_piece_is_harmless(tmp_path):
    types = changed(BPE.types, 5, twin.USER_DEFINED)
    path = write(
        tmp_path / "empty.gguf",
        BPE,
        tokens=("array[string]", changed(BPE.pieces, 5, "")),
        token_type=("array[i32]", types),
    )
    tok = Tokenizer.from_file(path)
    assert tok.token_bytes(5) == b""
    assert tok.decode(tok.encode("the cat")) == "the cat"


@pytest.mark.parametrize("content", [b'{"version": "1.0", "model": {}}', b"\n\x0e\n\x05<unk>", b"IQ== 0\nIg== 1\n"])
def test_other_contents_say_what_is_wrong_with_them(tmp_path, content):
    path = tmp_path / "vocabulary.file"
    path.write_bytes(content)
    with pytest.raises(ca.FormatError, match=r"vocabulary\.file"):
        Tokenizer.from_file(path)


@pytest.mark.parametrize("content", [b"", b"GG"])
def test_no_content_says_what_is_supported(tmp_path, content):
    path = tmp_path / "vocabulary.file"
    path.write_bytes(content)
    with pytest.raises(ca.FormatError, match=r"vocabulary\.file.*supported are: GGUF.*tokenizer\.json"):
        Tokenizer.from_file(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ca.FormatError, match=r"nowhere\.gguf"):
        Tokenizer.from_file(tmp_path / "nowhere.gguf")
    with pytest.raises(ca.FormatError, match=tmp_path.name):
        Tokenizer.from_file(tmp_path)


@pytest.mark.parametrize("vocabulary", [BPE, SPM], ids=["bpe", "spm"])
def test_flipped_bits_raise_or_load(tmp_path, vocabulary):
    good = gguf_bytes(metadata(vocabulary))
    rng = random.Random(11)
    path = tmp_path / "flipped.gguf"
    for _ in range(400):
        raw = bytearray(good)
        for _ in range(rng.randint(1, 3)):
            raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        path.write_bytes(raw)
        try:
            tok = Tokenizer.from_file(path)
        except ca.FormatError as error:
            assert "flipped.gguf" in str(error)
        else:
            ids = tok.encode(b"The quick <b> brown\n\nfox \xff 123")
            assert all(0 <= i < len(tok) for i in ids)
            tok.decode(ids)
