"""SentencePiece models from their own files: the same ids and the same text as sentencepiece, for every setting of the
trainer and for the models that people use."""

import random

import cutaway as ca
import numpy as np
import pytest
import sentencepiece
from cutaway.reference import unigram as twin
from cutaway.tokenization import Tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_files import golden_lines
from trained_spm import MODELS, trained

FILES = ["llama2.spm.model", "mistral-v1.spm.model", "mistral-v3.spm.model", "t5.unigram.model", "sp-test-en.unigram.model",
         "sp-test-ja.model"]  # fmt: skip
PARTS = ["<b>", "<b>>", "the", "The ", "①", "ﬁ", "½", "e\u0301", "Å", "ab", "bab", "x", " x", "▁", "▁▁", "--", "...", "!!!!!!",
         "</s>", "<unk>", "<0x41>", "<ctl>", "\n", "\n\n", "\r\n", "\t", "\0", " ", "  ", "\u3000", "\u00a0", "\u200b", "\ufeff",
         "0", "000", "aaaa", "中", "か\u3099", "각", "🏳️‍🌈", "שָׁלוֹם", "ing"]  # fmt: skip
TEXTS = st.lists(st.one_of(st.sampled_from(PARTS), st.text(max_size=6)), max_size=12).map("".join)


def pair(path):
    return Tokenizer.from_file(path), sentencepiece.SentencePieceProcessor(model_file=str(path))


def surfaces(raw: bytes) -> str:
    """Bytes as sentencepiece shows them: every byte that is in no character is one U+FFFD."""
    out = ""
    while raw:
        for n in (1, 2, 3, 4):
            try:
                out, raw = out + raw[:n].decode(), raw[n:]
                break
            except UnicodeDecodeError:
                continue
        else:
            out, raw = out + "\ufffd", raw[1:]
    return out


def check(tok, peer, text):
    ids = peer.encode(text)
    assert tok.encode(text).tolist() == ids
    assert tok.count(text) == len(ids)
    assert tok.decode(ids, skip_special_tokens=True) == peer.decode(ids)
    spans = tok.offsets(text)
    assert len(spans) == len(ids) and (np.diff(spans[:, 0]) >= 0).all() and (spans[:, 1] <= len(text)).all()
    assert [i for piece in tok.explain(text).pieces for i in piece.ids] == ids


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("spm")


@pytest.fixture(scope="module", params=MODELS)
def both(request, folder):
    path = folder / f"{request.param}.model"
    path.write_bytes(trained(request.param))
    return pair(path)


def test_trained_models_agree(both):
    for text in [*golden_lines()[::9], *PARTS, "", " ", "   ", "a ", " a ", "the  of"]:
        check(*both, text)


@given(TEXTS)
@settings(deadline=None)
def test_trained_models_agree_on_ugly_texts(both, text):
    check(*both, text)


def test_decoding_agrees_on_any_ids(both):
    tok, peer = both
    rng = random.Random(3)
    for _ in range(300):
        ids = [rng.randrange(len(tok)) for _ in range(rng.randint(1, 10))]
        if any(tok.token_type(i) == "byte" for i in ids) and any(tok.token_type(i) == "control" for i in ids):
            continue  # here a control token that is left out does not part the bytes of a character
        assert surfaces(tok.decode_bytes(ids, skip_special_tokens=True)) == peer.decode(ids)
        stream = tok.stream()
        assert "".join([stream.push(i) for i in ids] + [stream.finish()]) == tok.decode(ids)


@pytest.mark.parametrize("name", FILES)
def test_real_models_agree(shared_path, name):
    tok, peer = pair(shared_path(f"conformance/tokenizers/{name}"))
    rng = random.Random(name)
    lines = golden_lines()
    mixed = ["".join(rng.choice([*PARTS, *lines])[:30] for _ in range(8)) for _ in range(1000)]
    for text in [*lines[::2], *mixed]:
        assert tok.encode(text).tolist() == peer.encode(text)
    for text in mixed[:50]:
        check(tok, peer, text)


@pytest.mark.parametrize("name", FILES)
def test_whole_books(shared_path, name):
    """Sums of scores are rounded over the whole text: a long one shows it."""
    tok, peer = pair(shared_path(f"conformance/tokenizers/{name}"))
    for book in ("botchan.txt", "wagahaiwa_nekodearu.txt"):
        text = shared_path(f"conformance/tokenizers/{book}").read_text()[:150_000]
        assert tok.encode(text).tolist() == peer.encode(text)


@pytest.mark.parametrize("text", ["a" * 100_000, " " * 100_000, "字" * 30_000, "ab" * 50_000, "-" * 99_999])
@pytest.mark.parametrize("name", ["llama2.spm.model", "t5.unigram.model"])
def test_long_runs(shared_path, name, text):
    tok, peer = pair(shared_path(f"conformance/tokenizers/{name}"))
    assert tok.encode(text).tolist() == peer.encode(text)


def test_special_tokens(folder):
    path = folder / "special.model"
    path.write_bytes(trained("unigram, control and surface"))
    tok = Tokenizer.from_file(path)
    assert (tok.unk_id, tok.bos_id, tok.eos_id) == (0, 1, 2)
    assert tok.piece(0) == "[UNK]" and tok.decode([0]) == "[?]"
    control = tok.to_id("<ctl>")
    assert control in tok.encode("the<ctl>the", parse_special=True)
    assert control not in tok.encode("the<ctl>the")
    # Each stretch between control tokens is a text of its own.
    alone = tok.encode("the").tolist()
    assert tok.encode("the<ctl>the", parse_special=True).tolist() == [*alone, control, *alone]
    assert tok.encode("the", add_special_tokens=True).tolist() == [1, *alone]


def test_the_control_tokens_of_mistral(folder):
    """From v2 on they stand in the model file; in a text they are text, unless they are asked for."""
    path = folder / "instructions.model"
    path.write_bytes(trained("bpe, Mistral's instructions"))
    tok, peer = pair(path)
    begin, end = tok.to_id("[INST]"), tok.to_id("[/INST]")
    assert (begin, end) == (3, 4) and tok.token_type(begin) == "control"
    text = "[INST] What is it?[/INST] The lamp.</s>"
    check(tok, peer, text)
    assert {begin, end}.isdisjoint(tok.encode(text).tolist())
    expected = [begin, *peer.encode(" What is it?"), end, *peer.encode(" The lamp."), tok.eos_id]
    assert tok.encode(text, parse_special=True).tolist() == expected
    assert tok.decode(expected, skip_special_tokens=True) == peer.decode(expected)


def test_invalid_utf8(folder):
    """With byte pieces every byte string comes back; without, what is no character is unknown, as U+FFFD is."""
    rng = random.Random(8)
    for name, exact in (("unigram, bytes, identity", True), ("unigram, identity", False)):
        path = folder / "bytes.model"
        path.write_bytes(trained(name))
        tok = Tokenizer.from_file(path)
        for _ in range(300):
            raw = bytes(rng.randrange(256) for _ in range(rng.randint(1, 40)))
            ids = tok.encode(raw)
            if exact:
                assert tok.decode_bytes(ids) == raw.replace("▁".encode(), b" ")
            else:
                assert tok.encode(surfaces(raw)).tolist() == ids.tolist()


def test_the_lattice(folder):
    """explain() has every edge; those of the best path are chosen, and the twin in Python finds the same."""
    path = folder / "lattice.model"
    path.write_bytes(trained("unigram"))
    tok, peer = pair(path)
    pieces = {
        tok.piece(i): (i, peer.get_score(i)) for i in range(len(tok)) if tok.token_type(i) in ("normal", "user_defined")
    }
    model = twin.Unigram({p: i for p, (i, _) in pieces.items()}, {i: s for i, s in pieces.values()}, unknown=0)
    for text in ["unbelievable", "the tokens of a text", "naïve ①", "字x"]:
        (piece,) = tok.explain(text).pieces
        normal = "▁" + peer.normalize(text).removeprefix("▁") if hasattr(peer, "normalize") else "▁" + text
        edges = model.lattice(normal)
        assert sorted(m.id for m in piece.merges) == sorted(e.id for e in edges)
        chosen = [m.id for m in piece.merges if m.chosen]
        assert chosen == [e.id for e in model.best_path(normal)]
        assert model.encode(normal) == peer.encode(text)


def field(number, payload):
    return bytes([number << 3 | 2, len(payload)]) + payload


GOOD = trained("unigram")
TWO_UNKNOWN = GOOD + field(1, field(1, b"<second>") + b"\x18\x02")
BROKEN = {
    "cut in a piece": (GOOD[:1000], "claims|cut short"),
    "no pieces": (GOOD[:2] + b"\x0a\x01", None),
    "word model": (GOOD + field(2, b"\x18\x03"), "model_type is WORD"),
    "character model": (GOOD + field(2, b"\x18\x04"), "model_type is CHAR"),
    "unknown model": (GOOD + field(2, b"\x18\x09"), "model_type is 9"),
    "a field of the trainer nobody knows": (GOOD + field(2, b"\xc0\x0c\x01"), "trainer_spec: field 200 is not understood"),
    "a field of the normaliser nobody knows": (GOOD + field(3, b"\x48\x01"), "normalizer_spec: field 9 is not understood"),
    "an extension": (GOOD + b"\xc2\x0c\x00", "field 200 is not understood"),
    "piece twice": (GOOD + field(1, field(1, b"<unk>")), "are both '<unk>'"),
    "empty piece": (GOOD + field(1, field(1, b"")), "it is empty"),
    "piece not UTF-8": (GOOD + field(1, field(1, b"\xff")), "not valid UTF-8"),
    "type 7": (GOOD + field(1, field(1, b"zz") + b"\x18\x07"), "has type 7"),
    "nan": (GOOD + field(1, field(1, b"zz") + b"\x15\x00\x00\xc0\x7f"), "its score is"),
    "score as a number": (GOOD + field(1, field(1, b"zz") + b"\x10\x01"), "wire type 0, expected a float"),
    "two unknown pieces": (TWO_UNKNOWN, r"2 pieces are of type 2 \(unknown\)"),
    "a byte piece without byte_fallback": (GOOD + field(1, field(1, b"<0x41>") + b"\x18\x06"), "byte_fallback is off"),
    "byte_fallback without byte pieces": (GOOD + field(2, b"\x98\x02\x01"), "expected 256: byte_fallback is on"),
    "charsmap of nothing": (GOOD + field(3, field(2, b"\x01")), "precompiled_charsmap"),
    "charsmap too long": (GOOD + field(3, field(2, b"\xff\xff\xff\xff1234")), "precompiled_charsmap"),
    "charsmap out of its replacements": (GOOD + field(3, field(2, b"\x08\0\0\0" + b"\x00\x04\x00\x00" + b"\x01\x00\x00\x80" + b"a\0")), None),
    "group": (GOOD + b"\x0b", "wire type 3"),
    "endless number": (GOOD + b"\x08" + b"\xff" * 11, "64 bits"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_broken_models(tmp_path, case):
    raw, message = BROKEN[case]
    path = tmp_path / "broken.model"
    path.write_bytes(raw)
    if message is None:
        try:
            tok = Tokenizer.from_file(path)
        except ca.FormatError as error:
            assert "broken.model" in str(error)
        else:
            assert tok.decode(tok.encode("a b")) is not None
        return
    with pytest.raises(ca.FormatError, match=message) as raised:
        Tokenizer.from_file(path)
    assert "broken.model" in str(raised.value)


@pytest.mark.parametrize("name", ["unigram", "bpe, user-defined"])
def test_flipped_bits_raise_or_load(tmp_path, name):
    good = trained(name)
    rng = random.Random(12)
    path = tmp_path / "flipped.model"
    for i in range(300):
        raw = bytearray(good)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(raw)) if i % 2 else rng.randrange(max(len(raw) - 3000, 0), len(raw))
            raw[at] ^= 1 << rng.randrange(8)
        path.write_bytes(raw)
        try:
            tok = Tokenizer.from_file(path)
        except ca.FormatError as error:
            assert "flipped.model" in str(error)
        else:
            ids = tok.encode(b"The quick <b> brown\n\nfox \xff 123 \xef\xac\x81 e\xcc\x81")
            assert all(0 <= i < len(tok) for i in ids)
            tok.decode(ids)
