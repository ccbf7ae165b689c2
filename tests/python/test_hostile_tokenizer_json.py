"""tokenizer.json files that are not what they should be: unknown parts, broken text, members of another type."""

from __future__ import annotations

import base64
import contextlib
import copy
import json
from pathlib import Path
from typing import Any

import cutaway as ca
import pytest
from test_tokenizer_json import AROUND, CUTTERS, DECODERS, NORMALIZERS, byte_level, word_level


def test_unknown_parts_are_named(tmp_path: Path) -> None:
    def message(**parts: Any) -> str:
        with pytest.raises(ca.FormatError) as caught:
            small_only(tmp_path, **parts)
        return str(caught.value)

    assert "normalizer: is of type 'Nope'" in message(normalizer={"type": "Nope"})
    assert "normalizer.normalizers[1]: has the member 'x'" in message(
        normalizer={"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "NFD", "x": 1}]}
    )
    assert "'dropout' is not 0" in message(model={"type": "BPE", "vocab": {"a": 0}, "merges": [], "dropout": 0.1})
    assert "has the member 'novelty'" in message(novelty=1)
    assert "version '2.0'" in message(version="2.0")
    assert "member 'behavior' is 'Sometimes'" in message(
        pre_tokenizer={"type": "Split", "pattern": {"String": "a"}, "behavior": "Sometimes", "invert": False}
    )
    assert "tokens 'a' and 'b' both have the id 1" in message(
        model={"type": "WordLevel", "vocab": {"[UNK]": 0, "a": 1, "b": 1}, "unk_token": "[UNK]"}
    )
    assert "has the id 4000000000" in message(
        model={"type": "WordLevel", "vocab": {"[UNK]": 4000000000}, "unk_token": "[UNK]"}
    )
    assert "by its place in the vocabulary it is 3" in message(added_tokens=[{"id": 9, "content": "x"}])
    assert "post_processor: puts the token 77" in message(
        post_processor={"type": "BertProcessing", "sep": ["x", 77], "cls": ["a", 1]}
    )
    assert "not Base64" in message(normalizer={"type": "Precompiled", "precompiled_charsmap": "*"})
    assert "needs the piece 'ab'" in message(model={"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": ["a b"]})


def small_only(tmp_path: Path, **parts: Any) -> ca.Tokenizer:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"model": word_level(), **parts}), "utf-8")
    return ca.Tokenizer.from_file(path)


@pytest.mark.parametrize(
    "content",
    [
        b"{", b"{}", b'{"model":[]}', b'{"model":{"type":"BPE"}}', b'{"model":{"type":"BPE","vocab":[],"merges":{}}}',
        b'{"a":1,"a":2}', b'{"model":' + b"[" * 100 + b"]" * 100 + b"}", b'{"model":{"type":"WordLevel","vocab":{"a":-1},"unk_token":"a"}}',
        b'{"model":{"type":"WordLevel","vocab":{"a":1e99},"unk_token":"a"}}', b'{"model":{"type":"Unigram","vocab":[["a"]]}}',
        b'{"model":{"type":"Unigram","vocab":[["a",0,1]],"unk_id":5}}', b'{"model":{"type":"WordLevel","vocab":{"\\ud800":1},"unk_token":"a"}}',
        b'{"model":{"type":"WordLevel","vocab":{"a":1},"unk_token":3}}', b"{\xff}",
    ],
)  # fmt: skip
def test_broken_files(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(ca.FormatError, match="tokenizer.json"):
        ca.Tokenizer.from_file(path)


def test_every_member_of_another_type(tmp_path: Path) -> None:
    """Whatever stands at any place of a sound file, reading it ends in a tokenizer or a FormatError."""
    whole = {
        "version": "1.0", "added_tokens": [{"id": 5, "content": "<s>", "special": True}], "normalizer": NORMALIZERS["bert"],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [CUTTERS["split_Isolated_False"], byte_level()]},
        "post_processor": AROUND["template"], "decoder": DECODERS["llama"],
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "[UNK]": 3, "c": 4}, "merges": ["a b"], "unk_token": "[UNK]"},
    }  # fmt: skip

    def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return [path] * bool(path) + [p for k, v in inner for p in places(v, (*path, k))]

    path = tmp_path / "tokenizer.json"
    for place in places(whole):
        for other in (None, True, -1, 1.5, 10**30, "", "x", [], {}, [[1]], {"type": 3}):
            damaged = copy.deepcopy(whole)
            at = damaged
            for key in place[:-1]:
                at = at[key]
            at[place[-1]] = other
            path.write_text(json.dumps(damaged), "utf-8")
            with contextlib.suppress(ca.FormatError):
                ca.Tokenizer.from_file(path).explain("ab c", add_special_tokens=True)


def test_charsmap_that_lies(tmp_path: Path) -> None:
    for blob in (
        b"\x00",
        b"\xff\xff\xff\x7f",
        b"\x04\x00\x00\x00abcd",
        b"\x00\x04\x00\x00" + b"\xff" * 1024 + b"x\x00",
    ):
        part = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(blob).decode()}
        with contextlib.suppress(ca.FormatError):
            small_only(tmp_path, normalizer=part).encode("a b é " * 3)


BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
DOUBLE = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("(a|aa)+$", "a" * 41 + "!"),
        ("(.*a){20}b", "a" * 3000 + "b" + "a" * 3000),
        (r"(?:\p{L}|\p{L}\p{M}?)+$", "a" * 41 + "!"),
    ],
)
def test_expressions_that_never_end(
    expression: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("regex")
    monkeypatch.setattr(ca.patterns, "_SECONDS", 0.2)
    split = {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": False}
    tok = small_only(tmp_path, pre_tokenizer=split)
    with pytest.raises(ca.Error) as caught:
        tok.encode(text)
    assert repr(expression) in str(caught.value) and "takes too long on a text of" in str(caught.value)
    tok = small_only(tmp_path, normalizer={"type": "Replace", "pattern": {"Regex": expression}, "content": "-"})
    with pytest.raises(ca.Error, match="takes too long"):
        tok.count(text)
    assert tok.count("c") == 1


def test_rules_that_fill_the_memory(tmp_path: Path) -> None:
    often = {"type": "Sequence", "normalizers": [DOUBLE] * 60}
    for normalizer, text in ((often, "a"), ({**DOUBLE, "content": "b" * 10**7}, "a" * 1000)):
        tok = small_only(tmp_path, normalizer=normalizer)
        for call in (tok.encode, tok.count, tok.explain):
            with pytest.raises(
                ca.FormatError, match=r"tokenizer\.json: normalizer: .* make more than \d+ bytes of a text"
            ):
                call(text)
        assert tok.encode("c").size == 1
    letters = {"type": "Sequence", "pretokenizers": [BYTES] * 60}
    with pytest.raises(ca.FormatError, match="pre_tokenizer: .* make more than"):
        small_only(tmp_path, pre_tokenizer=letters).encode("\u00e9")
    for steps in ([DOUBLE] * 60, [{**DOUBLE, "content": "b" * 10**7}]):
        with pytest.raises(ca.FormatError, match="decoder.*may make more than 4096 bytes of one"):
            small_only(tmp_path, decoder={"type": "Sequence", "decoders": steps})


def test_rules_that_grow_a_text_as_real_ones_do(tmp_path: Path) -> None:
    tok = small_only(tmp_path, normalizer={"type": "Sequence", "normalizers": [{"type": "NFKD"}, DOUBLE, DOUBLE]})
    for text in ("\ufdfa" * 2000, "a" * 100_000):
        assert tok.count(text) > 0
