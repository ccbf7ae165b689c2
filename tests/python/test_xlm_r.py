"""A tokenizer.json of XLM-R's shape, trained small: SentencePiece's charsmap, words, U+2581 before each, unigram, a
template; against `tokenizers`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import cutaway as ca
import pytest
import tokenizers
from hard_lines import hard_lines
from peers import different, of_tokenizers
from tokenizer_files import golden_lines
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers
from trained_spm import trained
from vocab_folders import LINES

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def length(raw: bytes, at: int) -> tuple[int, int]:
    """A varint of a protobuf: its value, and where it ends."""
    value = shift = 0
    while True:
        value |= (raw[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if raw[at - 1] < 0x80:
            return value, at


def field(raw: bytes, number: int) -> bytes:
    """The first field of this number that holds bytes."""
    at = 0
    while at < len(raw):
        key, at = length(raw, at)
        if key & 7 != 2:
            at = at + 4 if key & 7 == 5 else length(raw, at)[1]
            continue
        size, at = length(raw, at)
        if key >> 3 == number:
            return raw[at : at + size]
        at += size
    raise KeyError(number)


@cache
def whole() -> tokenizers.Tokenizer:
    charsmap = field(field(trained("unigram"), 3), 2)  # normalizer_spec.precompiled_charsmap
    tok = tokenizers.Tokenizer(models.Unigram())
    tok.normalizer = normalizers.Precompiled(charsmap)
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tok.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=1500, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False, max_piece_length=8
    )
    tok.train_from_iterator(golden_lines()[:900], trainer)
    tok.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tok.add_special_tokens([tokenizers.AddedToken("<mask>", lstrip=True, special=True)])
    return tok


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = Path(tmp_path_factory.mktemp("xlm"), "tokenizer.json")
    whole().save(str(path))
    kinds = json.loads(path.read_text("utf-8"))
    assert [kinds[part]["type"] for part in ("normalizer", "model", "post_processor")] == [
        "Precompiled",
        "Unigram",
        "TemplateProcessing",
    ]
    return ca.Tokenizer.from_file(path), tokenizers.Tokenizer.from_file(str(path))


def test_lines(pair: Any) -> None:
    tok, peer = pair
    lines = [*golden_lines(), *LINES, *(line for some in hard_lines().values() for line in some[:150])]
    assert different(tok, of_tokenizers(peer), lines) is None


def test_around_and_back(pair: Any) -> None:
    tok, peer = pair
    peer.encode_special_tokens = False
    for line in [*golden_lines()[::20], *LINES, "The <mask> lamp", "a  <mask>b"]:
        expected = peer.encode(line).ids
        assert tok.encode(line, add_special_tokens=True, parse_special=True).tolist() == expected
        assert list(tok.explain(line, add_special_tokens=True, parse_special=True).ids) == expected
        for skip in (False, True):
            assert tok.decode(expected, skip_special_tokens=skip) == peer.decode(expected, skip_special_tokens=skip)
