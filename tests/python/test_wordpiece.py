"""BERT's tokenizer and RWKV's: the same ids, spans and text as `tokenizers`, and as a direct reading of the file."""

import ast
import random

import cutaway as ca
import pytest
from cutaway.reference import wordpiece as twin
from cutaway.tokenization import DroppedBytesWarning, Tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st
from make_files import write_gguf
from tokenizer_files import golden_lines
from tokenizers import BertWordPieceTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def trained(folder, lowercase):
    """vocab.txt of 700 pieces, trained by `tokenizers`."""
    trainer = BertWordPieceTokenizer(lowercase=lowercase)
    lines = golden_lines()[:600]
    trainer.train_from_iterator(lines, vocab_size=900, min_frequency=1, limit_alphabet=400, show_progress=False)
    trainer.save_model(str(folder), "cased" if not lowercase else "uncased")
    return folder / f"{'uncased' if lowercase else 'cased'}-vocab.txt"


@pytest.fixture(scope="module", params=[True, False], ids=["uncased", "cased"])
def both(request, tmp_path_factory):
    path = trained(tmp_path_factory.mktemp("bert"), request.param)
    peer = BertWordPieceTokenizer(str(path), lowercase=request.param)
    return Tokenizer.from_file(path, lowercase=request.param), peer._tokenizer


def check(tok, peer, text):
    expected = peer.encode(text, add_special_tokens=False)
    assert tok.encode(text).tolist() == expected.ids
    assert [tuple(span) for span in tok.offsets(text).tolist()] == expected.offsets
    assert tok.count(text) == len(expected.ids)
    assert [i for piece in tok.explain(text).pieces for i in piece.ids] == expected.ids
    for skip in (False, True):
        assert tok.decode(expected.ids, skip_special_tokens=skip) == peer.decode(expected.ids, skip_special_tokens=skip)


UGLY = ["İstanbul", "ǅ", "ß", "Ω", "naïve café", "e\u0301e\u0301", "e\0a", "a\u200bb", "\u3000", "中文abc", "豈", "\U0002f800",
        "a\ufffdb", "x\u0338=y", "≠", "؟!", "don't", "½", "한국어", "ガギグ", "a" * 100, "a" * 101, "é" * 101, "...", "a\x85b",
        "\u2028", "👩‍👩‍👧", "##ing", "[unused1]", "", " "]  # fmt: skip


def test_ugly_texts(both):
    for text in [*UGLY, *golden_lines()[::3]]:
        check(*both, text)


@given(st.lists(st.one_of(st.sampled_from(UGLY), st.text(max_size=8)), max_size=8).map("".join))
@settings(deadline=None)
def test_any_text(both, text):
    # Marks of music change places in the library's NFD; where they came from it then tells otherwise.
    check(*both, "".join(c for c in text if not "\U0001d165" <= c <= "\U0001d172"))


def test_special_tokens(both):
    tok, peer = both
    expected = peer.encode("a token")
    assert tok.encode("a token", add_special_tokens=True).tolist() == expected.ids
    assert tok.encode("a[MASK]", parse_special=True).tolist()[-1] == tok.to_id("[MASK]")
    assert tok.to_id("[MASK]") not in tok.encode("a[MASK]")
    rng = random.Random(2)
    for _ in range(300):
        ids = [rng.randrange(len(tok)) for _ in range(rng.randint(1, 9))]
        for skip in (False, True):
            assert tok.decode(ids, skip_special_tokens=skip) == peer.decode(ids, skip_special_tokens=skip)
        stream = tok.stream(skip_special_tokens=True)
        pushed = "".join([stream.push(i) for i in ids] + [stream.finish()])
        assert pushed == tok.decode(ids, skip_special_tokens=True)


def test_the_greedy_steps(both):
    tok, _ = both
    model = twin.WordPiece({tok.piece(i): i for i in range(len(tok))})
    for word in ["unbelievable", "tokens", "zzz", "q" * 101, "x"]:
        (piece,) = tok.explain(word).pieces
        assert list(piece.ids) == model.encode(word)
        assert [m.id for m in piece.merges] == list(piece.ids)
        spelled = [m.left for m in piece.merges]
        assert spelled[0] + b"".join(part.removeprefix(b"##") for part in spelled[1:]) == word.encode()
        assert all(part.startswith(b"##") for part in spelled[1:])


@pytest.mark.parametrize("name", ["bert_base_uncased", "bert_base_cased"])
def test_real_vocabularies(shared_path, name):
    path = shared_path(f"conformance/tokenizers/{name}_vocab.txt")
    tok = Tokenizer.from_file(path)  # which of the two it is, its entries tell
    peer = BertWordPieceTokenizer(str(path), lowercase="uncased" in name)._tokenizer
    for text in [*UGLY, *golden_lines()]:
        check(tok, peer, text)


def test_gguf_spells_the_other_pieces(shared_path):
    """In GGUF the pieces that begin a word are marked, not those that continue one."""
    gguf = Tokenizer.from_file(shared_path("conformance/tokenizers/ggml-vocab-bert-bge.gguf"))
    tok = Tokenizer.from_file(shared_path("conformance/tokenizers/bert_base_uncased_vocab.txt"))
    for text in [*UGLY, *golden_lines()[::2]]:
        assert gguf.encode(text, add_special_tokens=True).tolist() == tok.encode(text, add_special_tokens=True).tolist()
        assert gguf.decode(tok.encode(text)) == tok.decode(tok.encode(text))


GOOD = "\n".join([*SPECIAL, "a", "##b", "the", "."]) + "\n"


def test_case_is_told_by_the_entries(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text(GOOD)
    assert Tokenizer.from_file(path).encode("A").tolist() == [5]
    assert Tokenizer.from_file(path, lowercase=False).encode("A").tolist() == [1]
    path.write_text(GOOD + "B\nℝ\n")
    assert Tokenizer.from_file(path).encode("A").tolist() == [1]
    assert Tokenizer.from_file(path, lowercase=True).encode("A").tolist() == [5]
    path.write_bytes(GOOD.replace("\n", "\r\n").encode() + "ℝ".encode())  # a letter without lower case is in neither
    assert Tokenizer.from_file(path).encode("Ab").tolist() == [5, 6]


def test_broken_vocabularies(tmp_path):
    path = tmp_path / "broken.txt"
    for raw, message in [
        (GOOD.encode() + b"\xff\n", "line 10 is not valid UTF-8"),
        (GOOD.encode() + b"the\n", "are both 'the'"),
        (b"[PAD]\na\n", r"no line is '\[UNK\]'"),
    ]:
        path.write_bytes(raw)
        with pytest.raises(ca.FormatError, match=message) as raised:
            Tokenizer.from_file(path)
        assert "broken.txt" in str(raised.value)


def test_lowercase_is_for_vocab_txt(tmp_path):
    path = tmp_path / "rwkv.txt"
    path.write_text("1 'a' 1\n")
    with pytest.raises(ca.ArgumentError, match="lowercase"):
        Tokenizer.from_file(path, lowercase=True)


def rwkv_pieces(path):
    """id -> bytes, by Python's own reading of the literals."""
    pieces = {}
    for line in path.read_text(encoding="utf-8").split("\n")[:-1]:
        piece = ast.literal_eval(line[line.index(" ") : line.rindex(" ")].strip())
        pieces[int(line[: line.index(" ")])] = piece.encode() if isinstance(piece, str) else piece
    return pieces


def greedy(ids, longest, raw):
    out, at = [], 0
    while at < len(raw):
        end = next((end for end in range(min(at + longest, len(raw)), at, -1) if raw[at:end] in ids), None)
        if end is None:
            at += 1
            continue
        out.append(ids[raw[at:end]])
        at = end
    return out


def test_rwkv(shared_path):
    path = shared_path("conformance/tokenizers/rwkv_vocab_v20230424.txt")
    tok, pieces = Tokenizer.from_file(path), rwkv_pieces(path)
    assert len(tok) == 65530 and tok.eos_id == 0
    assert all(tok.token_bytes(i) == piece for i, piece in pieces.items())
    ids = {piece: i for i, piece in pieces.items()}
    rng = random.Random(4)
    texts = [line.encode() for line in golden_lines()] + [rng.randbytes(60) for _ in range(200)]
    for raw in texts:
        got = tok.encode(raw)
        assert got.tolist() == greedy(ids, 128, raw)
        assert tok.decode_bytes(got) == raw


RWKV = [
    "'\\x00' 1",
    "'a' 1",
    "b'\\xff' 1",
    "'ab' 2",
    '"it\'s" 4',
    "'\\'\"' 2",
    "'\\u4e2d' 3",
    "'é\\n' 3",
    "' ' 1",
    "'\\\\' 1",
]


def test_a_small_rwkv_vocabulary(tmp_path):
    path = tmp_path / "rwkv.txt"
    path.write_text("".join(f"{i} {line}\n" for i, line in enumerate(RWKV, 1)), encoding="utf-8")
    tok = Tokenizer.from_file(path)
    spelled = [b"\0", b"a", b"\xff", b"ab", b"it's", b"'\"", "中".encode(), "é\n".encode(), b" ", b"\\"]
    assert [tok.token_bytes(i) for i in range(1, 11)] == spelled
    assert [tok.piece(i) for i in range(1, 11)] == [repr(piece)[2:-1] for piece in spelled]  # as GGUF spells them
    assert tok.encode("aab it's中").tolist() == [2, 4, 9, 5, 7]
    with pytest.warns(DroppedBytesWarning, match="0x62"):
        assert tok.encode("ba").tolist() == [2]
    gguf = write_gguf(
        tmp_path / "rwkv.gguf",
        {
            "tokenizer.ggml.model": ("string", "rwkv"),
            "tokenizer.ggml.tokens": ("array[string]", ["<s>", *(repr(piece)[2:-1] for piece in spelled)]),
            "tokenizer.ggml.token_type": ("array[i32]", [3] + [1] * 10),
        },
    )
    assert Tokenizer.from_file(gguf).encode("aab it's中").tolist() == [2, 4, 9, 5, 7]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("3 'x' 1", "line 2 .*expected the id 2"),
        ("2 'x' 2", "the literal has 1 bytes"),
        ("2 'x 1", "expected a str or bytes literal"),
        ("2 x 1", "expected a str or bytes literal"),
        ("2 '\\q' 1", "expected a str or bytes literal"),
        ("2 '\\x4' 1", "expected a str or bytes literal"),
        ("2 b'\\u0041' 1", "expected a str or bytes literal"),
        ("2 '\\ud800' 3", "expected a str or bytes literal"),
        ("2 '' 0", "expected at least one byte"),
        ("2 'x'", "expected `id literal length`"),
        ("2 'a' 1", "are both 'a'"),
        ("2 __import__('os') 1", "expected a str or bytes literal"),
    ],
)
def test_broken_rwkv_vocabularies(tmp_path, line, message):
    path = tmp_path / "broken.txt"
    path.write_text(f"1 'a' 1\n{line}\n")
    with pytest.raises(ca.FormatError, match=message) as raised:
        Tokenizer.from_file(path)
    assert "broken.txt" in str(raised.value)
