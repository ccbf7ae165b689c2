"""`tok.explain`: what normalisation made of a text, what cut it, and every step, spelled as the vocabulary has it."""

from __future__ import annotations

import json

import cutaway as ca
import pytest
from peers import ours


def shown(name, text):
    return ours(name).explain(text)


@pytest.mark.parametrize(
    ("name", "text", "normalized"),
    [
        ("clip.tokenizer.json", "Unbelievable  Café", ["unbelievable", "café"]),
        ("bert_base_uncased_vocab.txt", "ÀÉ Unaffable", ["ae", "unaffable"]),
        ("ggml-vocab-bert-bge.gguf", "ÀÉ", ["ae"]),
        ("t5.tokenizer.json", "ﬁne day", ["▁fine", "▁day"]),
        ("t5.unigram.model", "ﬁne day", [" fine day"]),
        ("ggml-vocab-llama-spm.gguf", "Hi", [" Hi"]),
        ("cl100k_base.tiktoken", "ÀÉ day", ["ÀÉ", " day"]),
        ("roberta.tokenizer.json", "ÀÉ day", ["ÀÉ", " day"]),
        ("whisper.tokenizer.json", "ÀÉ 😀", ["ÀÉ", " 😀"]),
    ],
)
def test_what_the_model_was_given(name, text, normalized):
    found = shown(name, text)
    assert [piece.normalized.decode() for piece in found.pieces] == normalized
    assert [row["normalized"].decode() for row in found.records()] == [
        piece for piece, p in zip(normalized, found.pieces, strict=True) for _ in p.ids
    ]
    page = found._repr_html_()
    for piece in found.pieces:
        differs = piece.normalized != piece.text
        assert differs == (f"{piece.text.decode()!r} -> {piece.normalized.decode()!r}  [" in repr(found))
        assert differs == (f"→&nbsp;<code>{piece.normalized.decode().replace(' ', '·')}</code></td>" in page)
        assert not differs or f"{piece.text.decode()!r} → {piece.normalized.decode()!r}" in repr(found.view())


@pytest.mark.parametrize(
    ("name", "text", "rules"),
    [
        ("bert_base_uncased_vocab.txt", "Hi, 中国", ["white space", "punctuation", "Chinese character", "Chinese character"]),
        ("t5.tokenizer.json", "one two", ["white space", "white space"]),
        ("llama2.spm.model", "one two", ["not cut"]),
        ("ggml-vocab-llama-spm.gguf", "one two", ["not cut"]),
        ("cl100k_base.tiktoken", "it's 12 ...", ["letters", "contraction", "spaces", "numbers", "symbols"]),
    ],
)  # fmt: skip
def test_the_rule_that_cut_each(name, text, rules):
    found = shown(name, text)
    assert [piece.rule for piece in found.pieces] == rules
    assert "[text]" not in repr(found)


SPLITS = {
    "WhitespaceSplit": ({"type": "WhitespaceSplit"}, "ab  ba", ["white space"] * 2),
    "Bert": ({"type": "BertPreTokenizer"}, "ab,b a", ["white space", "punctuation", "white space", "white space"]),
    "Punctuation": ({"type": "Punctuation"}, "ab,b", ["between matches", "punctuation", "between matches"]),
    "nothing to cut": ({"type": "Punctuation"}, "ab", ["not cut"]),
    "Digits": ({"type": "Digits", "individual_digits": False}, "a12", ["between matches", "numbers"]),
    "delimiter": ({"type": "CharDelimiterSplit", "delimiter": ","}, "a,b", ["delimiter"] * 2),
    "length": ({"type": "FixedLength", "length": 2}, "abab", ["fixed length"] * 2),
    "Metaspace": ({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}, "ab ba", ["Metaspace"] * 2),
    "script": ({"type": "UnicodeScripts"}, "abжж", ["script"] * 2),
    "string": (
        {"type": "Split", "pattern": {"String": "b"}, "behavior": "Isolated", "invert": False},
        "aba",
        ["between matches", "pattern", "between matches"],
    ),
    "none": (None, "ab", ["not cut"]),
}


@pytest.mark.parametrize("kind", SPLITS)
def test_the_rules_of_a_tokenizer_json(kind, tmp_path):
    cutter, text, rules = SPLITS[kind]
    vocab = {letter: i for i, letter in enumerate("ab,12ж")}
    file = {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": cutter,
        "model": {"type": "BPE", "vocab": vocab, "merges": []},
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(file), "utf-8")
    found = ca.Tokenizer.from_file(tmp_path / "tokenizer.json").explain(text)
    assert [piece.rule for piece in found.pieces] == rules


def test_merges_of_clip_have_its_marks():
    """The end of a word is a mark of its own, and letters that stand for bytes are shown as those bytes."""
    found = shown("clip.tokenizer.json", "Unbelievable café 😀")
    tok = ours("clip.tokenizer.json")
    word, accent, smile = found.pieces
    assert word.merges[-1].joined.endswith(b"</w>") and "</w>' -> " in repr(found)
    assert all(step.left + step.right == step.joined for step in word.merges)
    assert ("é</w>" in [step.joined.decode() for step in accent.merges]) and not set("ÃĠð") & set(repr(found))
    assert [step.joined.decode(errors="replace") for step in smile.merges][-1] == "😀</w>"
    assert tok.piece(word.ids[-1]) == word.merges[-1].joined.decode()
    for piece in found.pieces:
        for step in piece.merges:
            assert piece.normalized[step.begin : step.end] + b"</w>" * step.joined.endswith(b"</w>") == step.joined


def test_merges_of_whisper_are_bytes():
    found = shown("whisper.tokenizer.json", " naïve café")
    assert "é" in "".join(step.joined.decode(errors="replace") for piece in found.pieces for step in piece.merges)
    assert not set("ÃĠ") & set(repr(found) + repr(found.view()) + found._repr_html_())


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("bert_base_uncased_vocab.txt", ["una", "##ffa", "##ble"]),
        ("ggml-vocab-bert-bge.gguf", ["▁una", "ffa", "ble"]),
    ],
)
def test_wordpiece_is_spelled_as_its_vocabulary(name, spelled):
    found = shown(name, "Unaffable")
    (piece,) = found.pieces
    assert list(piece.tokens) == spelled == [step.left.decode() for step in piece.merges]
    assert piece.token_bytes == (b"una", b"ffa", b"ble")
    # "unaffable" has nine characters: una after six that are longer, ffa after three.
    assert [step.tried for step in piece.merges] == [6, 3, 0]
    assert f"{spelled[1]!r}  length 3  (3 longer tried)" in repr(found)
    page = found._repr_html_()
    assert f"<code>{spelled[1]}</code> {piece.ids[1]} <small>66 66 61</small>" in page
    assert "3 matches" in page and f"{spelled[1]}  length 3  (3 longer tried)" in page


def test_wordpiece_shows_how_a_word_was_given_up(tmp_path):
    (tmp_path / "vocab.txt").write_text("[UNK]\nun\n##a\n", "utf-8")
    (piece,) = ca.Tokenizer.from_file(tmp_path / "vocab.txt").explain("unaz").pieces
    assert [(step.left, step.chosen) for step in piece.merges] == [(b"un", False), (b"##a", False), (b"unaz", True)]
    assert piece.merges[-1].joined == b"[UNK]" and piece.tokens == ("[UNK]",) and piece.token_bytes == (b"unaz",)
    text = repr(ca.Tokenizer.from_file(tmp_path / "vocab.txt").explain("unaz"))
    assert "'un'  length 2  (2 longer tried; given up: no piece goes on from here)" in text
    assert "'unaz' -> '[UNK]'" in text


@pytest.mark.parametrize(
    ("name", "kind", "key"),
    [
        ("cl100k_base.tiktoken", "merge", "rank"),
        ("clip.tokenizer.json", "merge", "rank"),
        ("llama2.spm.model", "merge", "score"),
        ("t5.unigram.model", "edge", "score"),
        ("bert_base_uncased_vocab.txt", "match", "length"),
    ],
)
def test_steps_as_a_table_and_in_the_terminal(name, kind, key):
    pytest.importorskip("pandas", reason="to_pandas needs pandas")
    found = shown(name, "unbelievable tokenization")
    table = found.to_pandas(steps=True)
    steps = [(n, i, step) for n, piece in enumerate(found.pieces) for i, step in enumerate(piece.merges)]
    assert len(table) == len(steps) > 2 and set(table["kind"]) == {kind}
    for (n, i, step), row in zip(steps, table.to_dict("records"), strict=True):
        assert (row["piece"], row["step"], row["id"], row[key]) == (n, i, step.id, step.key)
        assert (row["left"], row["right"], row["joined"], row["chosen"]) == (
            step.left,
            step.right,
            step.joined,
            step.chosen,
        )
        assert row["text"] == found.pieces[n].text
    assert len(found.to_pandas()) == len(found.ids)
    terminal = repr(found.view())
    assert {"merge": "merges", "edge": "edges", "match": "matches"}[kind] + ", in order" in terminal
    assert terminal.count(f"  {key} ") == len(steps)


def test_edges_say_where_they_lie():
    found = shown("t5.unigram.model", "ﬁne")
    assert "' fine'  bytes 0-5  score " in repr(found) and "·fin  bytes 0-4  score " in found._repr_html_()
    assert found._repr_html_().count("<i>·fi  bytes 0-3") == 1  # not chosen: dim


def test_the_terminal_says_what_it_leaves_out():
    found = shown("cl100k_base.tiktoken", " ".join(f"unbelievableness{i}" for i in range(60)))
    terminal = repr(found.view())
    assert "more lines (see .to_pandas(steps=True))" in terminal and terminal.count("  rank ") <= 200
