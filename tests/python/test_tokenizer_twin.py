"""The engine against its plain-Python twin and against other people's libraries, on texts that hypothesis finds."""

import unicodedata

import cutaway._core as core
import numpy as np
import pytest
from cutaway.inspect import inspect_file
from cutaway.reference import tokenizer as twin
from cutaway.tokenization import Tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_files import GOLDEN, golden_ids, golden_lines, sentencepiece_model, small_bpe, small_spm, write


def agreed(text: str) -> bool:
    """Do this Python, whose tables the twin uses, and Unicode 16 agree on every character?"""
    return all(core.unicode_category(ord(c)) == unicodedata.category(c) for c in text)


characters = st.characters(exclude_categories=("Cs",)).filter(agreed)
fragments = st.sampled_from(list(filter(agreed, golden_lines()[:400]))) | st.sampled_from(
    [
        "<|end|>",
        "<|im_start|>",
        "<b>",
        "<b>>",
        "</s>",
        "<s>",
        "<unk>",
        " ",
        "  ",
        "\n\n",
        "'s",
        "'LL",
        "1",
        "\u2581",
        "the",
        "\r\n",
        "é",
    ]
)
texts = st.lists(fragments | st.text(characters, max_size=12), max_size=5).map("".join)

BPE = [small_bpe("smollm"), small_bpe("gpt-2")]
SPM = [small_spm(), small_spm(add_space_prefix=False), small_spm(byte_fallback=False), small_spm(unused=False)]


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabularies")
    pairs = []
    for i, vocabulary in enumerate(BPE + SPM):
        tok = Tokenizer.from_file(write(folder / f"{i}.gguf", vocabulary))
        pairs.append((tok, (twin.SentencePieces if vocabulary.scores else twin.BytePairs)(vocabulary)))
    return pairs


@pytest.mark.parametrize("which", range(len(BPE + SPM)))
@given(text=texts, parse_special=st.booleans())
@settings(max_examples=150, deadline=None)
def test_engine_equals_twin(engines, which, text, parse_special):
    tok, reference = engines[which]
    ids = tok.encode(text, parse_special=parse_special)
    assert ids.tolist() == reference.encode(text, parse_special)
    assert tok.decode_bytes(ids) == reference.decode_bytes(ids.tolist())


@pytest.mark.parametrize("which", [0, 1, 2, 3, 5])  # all but the one without byte tokens
@given(text=texts | st.binary(max_size=40))
@settings(max_examples=150, deadline=None)
def test_any_text_comes_back_whole_and_streamed(engines, which, text):
    tok, _ = engines[which]
    raw = text if isinstance(text, bytes) else text.encode()
    if tok.info()["model"] == "llama":
        raw = raw.replace("\u2581".encode(), b" ")
    ids = tok.encode(text)
    assert tok.decode_bytes(ids) == raw
    assert tok.decode(ids) == raw.decode("utf-8", "replace")
    stream = tok.stream()
    pushed = [stream.push(int(i)) for i in ids]
    assert "".join(pushed) + stream.finish() == tok.decode(ids)


@given(ids=st.lists(st.integers(0, 500), max_size=30), skip=st.booleans(), continuation=st.booleans())
@settings(max_examples=200, deadline=None)
def test_stream_equals_decode_for_any_ids(engines, ids, skip, continuation):
    for tok, _ in engines[::2]:
        stream = tok.stream(skip, continuation)
        kept = [i % len(tok) for i in ids]
        assert "".join(stream.push(i) for i in kept) + stream.finish() == tok.decode(kept, skip, continuation)
        raw = tok.decode_bytes(kept, skip, continuation)
        assert tok.decode(kept, skip, continuation) == raw.decode("utf-8", "replace")


@given(text=texts, parse_special=st.booleans())
@settings(max_examples=100, deadline=None)
def test_offsets_are_those_of_the_tokens(engines, text, parse_special):
    for tok, _ in engines[:2]:
        raw = text.encode()
        ids = tok.encode(text, parse_special=parse_special)
        spans = tok.offsets(raw, parse_special=parse_special)
        assert [raw[a:b] for a, b in spans] == [tok.token_bytes(int(i)) for i in ids]
        for (a, b), (begin, end) in zip(spans, tok.offsets(text, parse_special=parse_special), strict=True):
            assert begin == len(raw[:a].decode("utf-8", "ignore"))
            assert end == len(raw[:b].decode("utf-8", "ignore")) + (not _whole(raw[:b]))


def _whole(raw: bytes) -> bool:
    return raw.decode("utf-8", "ignore").encode() == raw


@given(text=texts)
@settings(max_examples=150, deadline=None)
def test_explanation_ends_in_the_ids(engines, text):
    for tok, _ in engines[:4]:
        result = tok.explain(text, parse_special=True)
        assert list(result.ids) == tok.encode(text, parse_special=True).tolist()
        for piece in result.pieces:
            row = {m.left + m.right for m in piece.merges}
            assert all(tok.token_bytes(m.id) == m.left + m.right for m in piece.merges)
            assert len(row) <= len(piece.merges) < max(len(piece.text) + 1, 1)


@pytest.mark.parametrize("name", ["gpt-2", "smollm"])
@given(text=texts)
@settings(max_examples=300, deadline=None)
def test_pretokenizer_equals_twin(name, text):
    assert core.pretokenize(name, text) == [(piece.encode(), rule) for piece, rule in twin.PRETOKENIZERS[name](text)]


@given(text=texts)
@settings(max_examples=300, deadline=None)
def test_pretokenizers_equal_their_published_patterns(text):
    regex = pytest.importorskip("regex", reason="needs the package regex, which has \\p{L} and the like")
    text = "".join(c for c in text if core.unicode_category(ord(c)) != "Cn")  # its Unicode is a newer one
    gpt2 = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
    assert [p.decode() for p, _ in core.pretokenize("gpt-2", text)] == gpt2.findall(text)
    between = [part for part in regex.split(r"(\p{N})", text) if part]
    expected = [
        piece for part in between for piece in ([part] if regex.fullmatch(r"\p{N}", part) else gpt2.findall(part))
    ]
    assert [p.decode() for p, _ in core.pretokenize("smollm", text)] == expected


@pytest.mark.parametrize("vocabulary", SPM)
@given(text=texts)
@settings(max_examples=150, deadline=None)
def test_engine_equals_sentencepiece(tmp_path_factory, vocabulary, text):
    sentencepiece = pytest.importorskip(
        "sentencepiece", reason="needs sentencepiece, the library that is compared with"
    )
    theirs = sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model(vocabulary))
    path = tmp_path_factory.getbasetemp() / f"{id(vocabulary)}.gguf"
    tok = Tokenizer.from_file(path if path.exists() else write(path, vocabulary))
    if vocabulary.add_space_prefix and any(u in text for u in ("<b>", "\n\n")):
        return  # the prefix after a user-defined token: llama.cpp and transformers set one, sentencepiece does not
    assert tok.encode(text).tolist() == theirs.encode(text)


def test_unicode_categories_are_those_of_version_16():
    unicodedata2 = pytest.importorskip("unicodedata2", reason="needs unicodedata2, which has the tables of Unicode 16")
    assert unicodedata2.unidata_version == "16.0.0"
    assert [core.unicode_category(cp) for cp in range(0x110000)] == [
        unicodedata2.category(chr(cp)) for cp in range(0x110000)
    ]
    assert core.unicode_category(0x110000) == "Cn"


def test_unicode_categories_agree_with_python_on_what_both_know():
    differing = [
        cp
        for cp in range(0x110000)
        if "Cn" not in (ours := core.unicode_category(cp), theirs := unicodedata.category(chr(cp))) and ours != theirs
    ]
    assert len(differing) < 20  # characters that changed category between Unicode versions


@pytest.mark.parametrize("name", ["smollm2", "gemma3"])
def test_twin_gives_the_golden_ids(model_path, name):
    keys = inspect_file(model_path(name)).metadata
    get = {k.removeprefix("tokenizer.ggml."): v for k, v in keys.items() if k.startswith("tokenizer.ggml.")}
    vocabulary = twin.Vocabulary(
        get["tokens"],
        get["token_type"].tolist(),
        get.get("merges", ()),
        get.get("scores", np.zeros(0)).tolist(),
        get["pre"],
        get["add_space_prefix"],
    )
    reference = (twin.SentencePieces if vocabulary.scores else twin.BytePairs)(vocabulary)
    added = vocabulary.added(False)
    vocabulary.added = lambda parse_special: added  # type: ignore[method-assign]  # once is enough
    ids = golden_ids(np.load(GOLDEN / f"tokenizer_{name}.npz"))
    for line, expected in list(zip(golden_lines(), ids, strict=True))[::25]:
        assert not agreed(line) or reference.encode(line) == expected.tolist(), repr(line)
