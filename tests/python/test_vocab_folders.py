"""Folders of vocab.json and merges.txt, and of vocab.txt: the ids of transformers' classes, as their settings have it."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from typing import Any

import cutaway as ca
import pytest
import tokenizers
from conftest import ROOT
from hard_lines import hard_lines
from peers import conformance_file, different, of_tokenizers
from tokenizer_files import golden_lines
from tokenizers import BertWordPieceTokenizer
from vocab_folders import BERT, CLASSES, LINES, write_bert, write_bpe


@cache
def golden() -> dict[str, Any]:
    """Ids that transformers gave, by tests/golden/make_folder_goldens.py."""
    return json.loads((ROOT / "tests/golden/folder_ids.json").read_text())


def check(tok: ca.Tokenizer, name: str) -> None:
    expected = golden()[name]
    for line, ids in zip(LINES, expected["text"], strict=True):
        assert tok.encode(line).tolist() == ids == list(tok.explain(line).ids), line
    for line, ids in zip(LINES[-10:], expected["special"], strict=True):
        assert tok.encode(line, parse_special=True).tolist() == ids, line
    assert tok.encode("a b", add_special_tokens=True).tolist() == expected["around"][0]


@pytest.mark.parametrize("name", CLASSES)
def test_classes_of_vocab_json(name: str, tmp_path: Path) -> None:
    settings = write_bpe(tmp_path, name)
    tok = ca.Tokenizer.from_file(tmp_path)
    check(tok, name)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**settings, "tokenizer_class": f"{name}Fast"}))
    assert ca.Tokenizer.from_file(tmp_path).encode(LINES[0]).tolist() == tok.encode(LINES[0]).tolist()


@pytest.mark.parametrize("name", BERT)
def test_settings_of_vocab_txt(name: str, tmp_path: Path) -> None:
    write_bert(tmp_path, BERT[name])
    check(ca.Tokenizer.from_file(tmp_path), f"BERT, {name}")


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("strip", [None, False, True])
@pytest.mark.parametrize("chinese", [False, True])
def test_every_setting_of_bert(lower: bool, strip: bool | None, chinese: bool, tmp_path: Path) -> None:
    write_bert(tmp_path, {"do_lower_case": lower, "strip_accents": strip, "tokenize_chinese_chars": chinese})
    peer = BertWordPieceTokenizer(
        str(tmp_path / "vocab.txt"), lowercase=lower, strip_accents=strip, handle_chinese_chars=chinese
    )
    tok = ca.Tokenizer.from_file(tmp_path)
    assert (
        different(tok, of_tokenizers(peer._tokenizer), [*golden_lines(), *hard_lines()["combining marks"][:200]])
        is None
    )
    assert (
        ca.Tokenizer.from_file(tmp_path, lowercase=not lower).encode("Hello").tolist() != tok.encode("Hello").tolist()
    )


def test_a_real_vocabulary_and_its_settings(tmp_path: Path) -> None:
    """bert-base-uncased's, with ids that transformers 5.23 gave."""
    (tmp_path / "vocab.txt").write_bytes(conformance_file("bert_base_uncased_vocab.txt").read_bytes())
    for settings, expected in (
        ({}, [7592, 7668, 1746, 1861]),
        ({"do_lower_case": False}, [100, 100, 1746, 1861]),
        ({"strip_accents": False}, [7592, 100, 1746, 1861]),
        ({"tokenize_chinese_chars": False}, [7592, 7668, 1746, 30387]),
    ):
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
        assert ca.Tokenizer.from_file(tmp_path).encode("Hello Café 中文").tolist() == expected


def test_settings_that_are_refused(tmp_path: Path) -> None:
    for settings, message in (
        ({"never_split": ["foo"]}, "'never_split' has 'foo'"),
        ({"do_basic_tokenize": False}, "'do_basic_tokenize' is false"),
        ({"tokenizer_class": "BertJapaneseTokenizer"}, "'BertJapaneseTokenizer', which is not known for a vocab.txt"),
        ({"unk_token": "<nope>"}, "no line is '<nope>'"),
    ):
        write_bert(tmp_path, settings)
        with pytest.raises(ca.FormatError, match=message):
            ca.Tokenizer.from_file(tmp_path)
    write_bpe(tmp_path, "GPT2Tokenizer")
    with pytest.raises(ca.ArgumentError, match="lowercase has no meaning for vocab.json"):
        ca.Tokenizer.from_file(tmp_path, lowercase=True)


REAL = {
    "roberta": "RobertaTokenizer",
    "clip": "CLIPTokenizer",
    "whisper": "WhisperTokenizer",
    "neox": "GPTNeoXTokenizer",
    "phi2": "CodeGenTokenizer",
}


@pytest.mark.parametrize("name", REAL)
def test_real_vocabularies(name: str, tmp_path: Path) -> None:
    """The same vocabulary once as tokenizer.json, for the library, and once as vocab.json and merges.txt."""
    path = conformance_file(f"{name}.tokenizer.json")
    document = json.loads(path.read_text("utf-8"))
    model, added = document["model"], document["added_tokens"]
    later = {one["content"]: one["id"] for one in added if one["content"] not in model["vocab"]}
    (tmp_path / "vocab.json").write_text(json.dumps(model["vocab"]))
    (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *model["merges"]]) + "\n", "utf-8")
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": REAL[name],
                "additional_special_tokens": [one for one in later if one.startswith("<|")],
            }
        )
    )
    (tmp_path / "added_tokens.json").write_text(json.dumps(dict(sorted(later.items()))))
    tok = ca.Tokenizer.from_file(tmp_path)
    peer = tokenizers.Tokenizer.from_file(str(path))
    lines = random.Random(name).sample([line for some in hard_lines().values() for line in some], 600)
    lines += [*golden_lines()[::4], *LINES]
    for line in LINES:
        assert tok.encode(line, parse_special=True).tolist() == peer.encode(line, add_special_tokens=False).ids
        assert tok.encode(line, parse_special=True, add_special_tokens=True).tolist() == peer.encode(line).ids
    assert different(tok, of_tokenizers(peer), lines) is None
    if name != "clip":
        ids = peer.encode(golden_lines()[3]).ids
        assert tok.decode(ids, skip_special_tokens=True) == peer.decode(ids)
    assert len(tok) == peer.get_vocab_size()


def test_clip_decodes_to_words(tmp_path: Path) -> None:
    write_bpe(tmp_path, "CLIPTokenizer")
    tok = ca.Tokenizer.from_file(tmp_path)
    assert tok.decode(tok.encode("The  Old lighthouse, 12 times")) == "the old lighthouse , 1 2 times"


def test_tokens_of_added_tokens_json(tmp_path: Path) -> None:
    settings = write_bpe(tmp_path, "GPT2Tokenizer")
    size = len(ca.Tokenizer.from_file(tmp_path))
    (tmp_path / "added_tokens.json").write_text(json.dumps({"<|im_end|>": size + 1, "<extra>": size}))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**settings, "eos_token": "<|im_end|>"}))
    tok = ca.Tokenizer.from_file(tmp_path)
    assert (len(tok), tok.eos_id, tok.stop_ids) == (size + 2, size + 1, [size + 1])
    assert tok.encode("<extra>").tolist() == [size] and size + 1 not in tok.encode("<|im_end|>")
    assert tok.encode("<|im_end|>", parse_special=True).tolist() == [size + 1]
    (tmp_path / "added_tokens.json").write_text(json.dumps({"<extra>": size + 7}))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(ca.FormatError, match=f"'<extra>' has the id {size + 7}, but by its place"):
        ca.Tokenizer.from_file(tmp_path)
