"""The face of the tokenizer: arguments, errors, streams, explanations, worst cases, threads."""

import re
import sys
import threading
import time
import types

import cutaway as ca
import numpy as np
import pytest
from cutaway.reference import tokenizer as twin
from cutaway.tokenization import DroppedBytesWarning, Tokenizer
from tokenizer_files import golden_lines, small_bpe, small_spm, write


@pytest.fixture(scope="module")
def bpe(tmp_path_factory):
    return Tokenizer.from_file(write(tmp_path_factory.mktemp("bpe") / "small.gguf", small_bpe()))


@pytest.fixture(scope="module")
def spm(tmp_path_factory):
    return Tokenizer.from_file(write(tmp_path_factory.mktemp("spm") / "small.gguf", small_spm()))


def test_it_is_exported():
    assert ca.Tokenizer is Tokenizer


def test_shapes_and_types(bpe):
    ids = bpe.encode("the cat")
    assert ids.dtype == np.int32 and ids.ndim == 1 and len(ids) == bpe.count("the cat") > 0
    assert bpe.encode("").shape == (0,) and bpe.offsets("").shape == (0, 2) and bpe.decode([]) == ""
    batch = bpe.encode_batch(["the cat", b"\xff", ""])
    assert [b.dtype for b in batch] == [np.int32] * 3
    assert [b.tolist() for b in batch] == [bpe.encode(t).tolist() for t in ("the cat", b"\xff", "")]
    assert len(bpe) == bpe.vocab_size == len(small_bpe().pieces)
    assert bpe.decode(ids) == bpe.decode(ids.tolist()) == bpe.decode(ids.astype(np.uint64)) == "the cat"
    assert repr(bpe) == f"Tokenizer('small.gguf', model='gpt2', pre='smollm', {len(bpe)} tokens)"


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([0, -1], "token id -1 at position 1"),
        ([10**6], "token id 1000000 at position 0 .* vocabulary of"),
        ([2**63], "token id 9223372036854775808"),
        ([1.0], "an array of float64 with"),
        ([True], "an array of bool with"),
        ([[1, 2]], r"shape \[1, 2\]"),
        (3, r"ids are 3, expected .* one id is written \[3\]"),
        ("abc", "ids are the text 'abc', expected"),
    ],
)
def test_ids_are_checked(bpe, ids, message):
    for call in (bpe.decode, bpe.decode_bytes, bpe.tokens):
        with pytest.raises(ca.ArgumentError, match=message):
            call(ids)


def test_single_ids_are_checked(bpe):
    for call in (bpe.token_bytes, bpe.piece, bpe.token_type, bpe.stream().push):
        for id in (-1, len(bpe), 2**40):
            with pytest.raises(ca.ArgumentError, match=f"expected 0 to {len(bpe) - 1}"):
                call(id)
        for id in ("x", 1.5, None, [1]):
            with pytest.raises(ca.ArgumentError, match=f"^an id is a whole number, got {re.escape(repr(id))}"):
                call(id)
        with pytest.raises(ca.ArgumentError, match=f"there is no id {2**70}"):
            call(2**70)


@pytest.mark.parametrize("text", [None, 5, ["a"], bytearray(b"a")])
def test_text_must_be_str_or_bytes(bpe, text):
    for call in (bpe.encode, bpe.count, bpe.explain):
        with pytest.raises(ca.ArgumentError, match="expected str or bytes"):
            call(text)
    with pytest.raises(ca.ArgumentError, match="one text"):
        bpe.encode_batch("abc")


@pytest.mark.parametrize(("text", "at"), [("\ud800", 0), ("ab\udfffc", 2), ("😀é\udc80", 2)])
def test_lone_surrogates_are_refused_with_their_position(bpe, spm, text, at):
    for tok in (bpe, spm):
        for call in (tok.encode, tok.offsets, tok.explain, lambda t, tok=tok: tok.encode_batch(["ok", t])):
            with pytest.raises(ca.ArgumentError, match=f"lone surrogate at position {at}"):
                call(text)


def test_special_tokens_only_when_asked(bpe):
    end = bpe.to_id("<|end|>")
    assert end not in bpe.encode("a<|end|>b")
    assert bpe.encode("a<|end|>b", parse_special=True).tolist() == [*bpe.encode("a"), end, *bpe.encode("b")]
    longest = bpe.to_id("<b>>")  # user-defined tokens always match, the longest first
    assert bpe.encode("x<b>>y").tolist() == [*bpe.encode("x"), longest, *bpe.encode("y")]
    ids = bpe.encode("a<|end|>b", parse_special=True)
    assert bpe.decode(ids) == "a<|end|>b" and bpe.decode(ids, skip_special_tokens=True) == "ab"


def test_bos_and_eos_by_the_flags(tmp_path, spm):
    assert spm.encode("the", add_special_tokens=True).tolist() == [
        1,
        *spm.encode("the"),
    ]  # a SentencePiece file's default
    flags = {"add_bos_token": ("bool", False), "add_eos_token": ("bool", True)}
    tok = Tokenizer.from_file(write(tmp_path / "eos.gguf", small_spm(), **flags))
    assert tok.encode("the", add_special_tokens=True).tolist() == [*spm.encode("the"), 2]
    assert tok.offsets("thé", add_special_tokens=True)[-1].tolist() == [3, 3]
    assert (tok.bos_id, tok.eos_id, tok.eot_id, tok.stop_ids, tok.unk_id, tok.pad_id) == (1, 2, None, [2], 0, None)
    assert tok.info()["add_eos"] is True and tok.info()["add_bos"] is False


def test_stop_ids_are_eos_eot_eom(tmp_path):
    ids = {"eot_token_id": ("u32", 9), "eom_token_id": ("u32", 4)}
    tok = Tokenizer.from_file(write(tmp_path / "stops.gguf", small_spm(), **ids))
    assert (tok.eot_id, tok.eom_id, tok.stop_ids) == (9, 4, [2, 4, 9])
    assert tok.special_ids == {"bos": 1, "eos": 2, "eot": 9, "eom": 4, "unk": 0}


def test_space_prefix_comes_and_goes(spm):
    assert spm.piece(spm.encode("the")[0]).startswith("\u2581")
    for text in ("the", " the", "  ", "", "\n\nthe"):
        assert spm.decode(spm.encode(text)) == text
    assert spm.decode(spm.encode("the"), continuation=True) == " the"
    stream = spm.stream(continuation=True)
    assert "".join(stream.push(int(i)) for i in spm.encode("the")) + stream.finish() == " the"
    parsed = spm.encode("the</s>the", parse_special=True)
    assert parsed.tolist() == [*spm.encode("the"), 2, *spm.encode("the")] and spm.decode(parsed) == "the</s>the"


def test_stream_never_gives_half_a_character(bpe):
    stream = bpe.stream()
    raw = "é字😀".encode()
    pushed = [stream.push(int(bpe.encode(raw[i : i + 1])[0])) for i in range(len(raw))]
    assert pushed == ["", "é", "", "", "字", "", "", "", "😀"] and stream.finish() == ""
    assert stream.push(int(bpe.encode(b"\xe5")[0])) == "" and stream.finish() == "\ufffd"
    assert stream.push(int(bpe.encode(b"a")[0])) == "a"  # finish starts it anew


def test_tokens_are_readable(bpe):
    assert bpe.tokens(bpe.encode(b"\xe2\x82")) == ["<0xE2>", "<0x82>"]
    assert "".join(bpe.tokens(bpe.encode("the cat"))) == "the cat"
    assert bpe.to_id("\u0120") == bpe.encode(" ")[0] and bpe.piece(bpe.to_id("\u0120")) == "\u0120"
    with pytest.raises(ca.ArgumentError, match="no piece 'no such piece'"):
        bpe.to_id("no such piece")


def test_dropped_bytes_warn(tmp_path):
    tok = Tokenizer.from_file(write(tmp_path / "gaps.gguf", small_bpe("smollm", b"\x04q")))
    assert tok.missing_bytes == b"\x04q"
    with pytest.warns(DroppedBytesWarning, match=r"3 byte\(s\).*0x04, 0x71") as record:
        ids = tok.encode("a\x04qqb")
    assert tok.decode(ids) == "ab" and record[0].filename == __file__
    with pytest.warns(DroppedBytesWarning):
        assert len(tok.encode_batch(["q", "a"])[0]) == 0


def test_explain_shows_the_merges(bpe, spm):
    result = bpe.explain("the 1st")
    assert [(p.text, p.rule) for p in result.pieces] == [
        (b"the", "letters"),
        (b" ", "spaces"),
        (b"1", "numbers"),
        (b"st", "letters"),
    ]
    merges = result.pieces[0].merges
    reference = twin.BytePairs(small_bpe())
    steps = list(twin.merge(reference.row("the"), reference.key))
    assert len(merges) > 0
    assert [(m.left.decode(), m.right.decode(), m.key) for m in merges] == [(s.left, s.right, s.key) for s in steps]
    assert [small_bpe().merges[int(m.key)] for m in merges] == [f"{m.left.decode()} {m.right.decode()}" for m in merges]
    assert "rank" in repr(result) and "[letters]" in repr(result)
    html = result._repr_html_()
    assert 'class="ca"' in html and "http" not in html and "<script" not in bpe.explain("<script>")._repr_html_()
    assert "score" in repr(spm.explain("the")) and spm.explain("<b>").pieces[0].rule == "added token"
    long = bpe.explain(" ".join(golden_lines()[:200]))
    assert len(long._repr_html_()) < 200_000 and "more" in repr(long)


@pytest.mark.parametrize("unit", ["a", " ", "字", "\n", "\x00", "<b>", "ab", "\u0301"])
def test_a_mebibyte_of_one_character_is_linear(bpe, spm, unit):
    text = unit * (2**20 // len(unit.encode()))
    for tok in (bpe, spm):
        begin = time.perf_counter()
        ids = tok.encode(text)
        assert time.perf_counter() - begin < 10
        assert tok.decode(ids) == text


def test_chat_template(tmp_path, bpe, monkeypatch):
    class ChatTemplate:
        def __init__(self, source):
            self.source = source

        def render(self, messages, **context):
            return f"{self.source}|{messages}|{sorted(context.items())}"

    monkeypatch.setitem(sys.modules, "cutaway.chat", types.SimpleNamespace(ChatTemplate=ChatTemplate))
    keys = {"tokenizer.chat_template": ("string", "MAIN"), "tokenizer.chat_template.tool_use": ("string", "TOOL")}
    tok = Tokenizer.from_file(write(tmp_path / "chat.gguf", small_bpe(), **keys))
    assert tok.chat_template == "MAIN" and tok.chat_templates == {"default": "MAIN", "tool_use": "TOOL"}
    context = "[('add_generation_prompt', True), ('bos_token', ''), ('eos_token', '<|end|>')]"
    assert tok.apply_chat_template([]) == f"MAIN|[]|{context}"
    assert tok.apply_chat_template([], template="tool_use") == f"TOOL|[]|{context}"
    assert tok.apply_chat_template([], template="<|end|>", tokenize=True)[0] == tok.eos_id
    assert tok.apply_chat_template([], bos_token="B", add_generation_prompt=False).endswith(
        "('bos_token', 'B'), ('eos_token', '<|end|>')]"
    )
    with pytest.raises(ca.ArgumentError, match=r"no chat template.*template="):
        bpe.apply_chat_template([])


def test_many_threads_one_tokenizer(bpe):
    lines = golden_lines()[:300]
    expected = [bpe.encode(line).tolist() for line in lines]
    wrong = []

    def work():
        wrong.extend(line for line, ids in zip(lines, expected, strict=True) if bpe.encode(line).tolist() != ids)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_other_threads_run_while_a_text_is_encoded(bpe):
    counted = [0]
    stop = threading.Event()

    def count():
        while not stop.is_set():
            counted[0] += 1
            time.sleep(0)

    thread = threading.Thread(target=count)
    thread.start()
    before = counted[0]
    bpe.encode("ab" * 2**20)
    during = counted[0] - before
    stop.set()
    thread.join()
    assert during > 100


def test_explain_shows_spans_and_special_tokens(bpe, spm):
    text = "<|im_start|>नमस्ते 🙂 it<|end|>"
    result = bpe.explain(text, parse_special=True)
    rows = result.records()
    assert [row["span"] for row in rows] == [tuple(span) for span in bpe.offsets(text, parse_special=True).tolist()]
    assert [row["id"] for row in rows if row["special"]] == [bpe.to_id("<|im_start|>"), bpe.to_id("<|end|>")]
    assert [text[b:e] for b, e in result.pieces[0].spans] == ["<|im_start|>"]
    page, shown = result._repr_html_(), repr(result.view())
    table = shown.split("merges, in order")[0].splitlines()
    assert "special; characters 0 to 12" in page and "0-12" in shown and "characters" in table[-len(rows) - 1]
    assert "<0xF0>" in shown  # a part of a character shows as its bytes
    data = bpe.explain(text.encode())
    assert data.records()[-1]["span"][1] == len(text.encode()) and "; bytes " in data._repr_html_()
    both = spm.explain("the cat", add_special_tokens=True)
    assert [row["span"] for row in both.records()] == [tuple(s) for s in spm.offsets("the cat", True).tolist()]
