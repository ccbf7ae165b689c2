"""`ca.compare_formats`, and the YAML that it writes: read back by PyYAML, value for value."""

import csv
import io
import json

import cutaway as ca
import numpy as np
import pytest
from cutaway.plain_yaml import to_yaml
from hypothesis import given
from hypothesis import strategies as st
from word_tokenizer import Words

RECORD = {"name": "Ada Lovelace", "born": 1815, "address": {"city": "London"}, "ok": True, "none": None, "score": 0.5}


class Bytes(Words):
    def encode(self, text):
        return list(text.encode())

    def token_bytes(self, id):
        return bytes([id])


def test_the_four_texts():
    table = ca.compare_formats(RECORD, Bytes())
    assert [row.format for row in table] == ["JSON", "JSON compact", "YAML", "CSV"]
    assert table["json"].text == json.dumps(RECORD, indent=2)
    assert table["JSON compact"].text == (
        '{"name":"Ada Lovelace","born":1815,"address":{"city":"London"},"ok":true,"none":null,"score":0.5}'
    )
    assert table["YAML"].text == (
        "name: Ada Lovelace\nborn: 1815\naddress:\n  city: London\nok: true\nnone: null\nscore: 0.5\n"
    )
    assert table["CSV"].text == "name,born,address.city,ok,none,score\nAda Lovelace,1815,London,true,,0.5\n"
    for row in table:
        assert row.tokens == row.bytes == row.characters == len(row.text) == len(row.ids)
        assert row.ratio == row.tokens / table[0].tokens
    with pytest.raises(
        ca.ArgumentError, match="There is no format 'XML' here; there are JSON, JSON compact, YAML, CSV"
    ):
        table["XML"]


def test_ids_are_the_tokenizers(real_model):
    model = real_model("smollm2")
    table = ca.compare_formats([RECORD, {"name": 'Émile, "the"\nsecond', "born": -1}], model, ["CSV", "yaml"])
    assert [row.format for row in table] == ["CSV", "YAML"] and table["CSV"].ratio == 1
    for row in table:
        assert list(row.ids) == model.tokenizer.encode(row.text).tolist() and row.bytes > row.characters
    rows = list(csv.DictReader(io.StringIO(table["CSV"].text)))
    assert rows[1]["name"] == 'Émile, "the"\nsecond' and rows[1]["address.city"] == "" and rows[0]["ok"] == "true"
    page = table._repr_html_()
    assert "CSV: " in page and "YAML: " in page and page.count("class=tip") == sum(row.tokens for row in table)
    assert "Lovelace" in repr(table.view()).replace("\n", "") and list(table.to_pandas().format) == ["CSV", "YAML"]
    assert repr(table).splitlines()[0].split() == ["format", "tokens", "characters", "bytes", "x", "the", "first"]


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"tags": ["a"]}, "CSV has no place for the list at 'tags'. Leave it out: formats="),
        ({"a": {"b": []}}, "list at 'a.b'"),
        ({"a.b": 1, "a": {"b": 2}}, "CSV would have two columns 'a.b'"),
        ([1], r"CSV takes a dict or a list of dicts, got 1 at \[0\]"),
        ([], "CSV needs a record with a field"),
        ({}, "CSV needs a record with a field"),
        ("text", "The record is the text 'text', expected a dict"),
        ({1: 2}, "record has the key 1; keys must be str, as in JSON"),
        ({"a": {"b": [0, float("nan")]}}, r"record\['a'\]\['b'\]\[1\] is nan, which JSON cannot hold"),
        ({"a": object()}, r"record\['a'\] is an object; expected a dict, list, str, number, bool or None"),
        ({"a": np.int64(3)}, r"record\['a'\] is an int64; expected"),
        ({"a": "x\ud800"}, r"record\['a'\] has a lone surrogate at position 1"),
        ({"k" * 1001: 1}, "key of 1,001 characters; YAML takes up to 1,000"),
    ],
)
def test_what_a_format_cannot_hold(record, said):
    with pytest.raises(ca.ArgumentError, match=said):
        ca.compare_formats(record, Bytes())


def test_arguments():
    with pytest.raises(ca.ArgumentError, match="The record comes first"):
        ca.compare_formats(Bytes(), RECORD)
    with pytest.raises(ca.ArgumentError, match="formats is a list of names, .* got the text 'JSON'"):
        ca.compare_formats(RECORD, Bytes(), "JSON")
    with pytest.raises(ca.ArgumentError, match="There is no format 'TOML'; there are JSON, "):
        ca.compare_formats(RECORD, Bytes(), ["TOML"])
    deep = loop = []
    loop.append(loop)
    with pytest.raises(ca.ArgumentError, match="nested more than 100 deep"):
        ca.compare_formats(deep, Bytes())
    assert len(ca.compare_formats({"tags": ["a", {"b": []}]}, Bytes(), ["YAML"])[0].text) == len(
        "tags:\n- a\n- b: []\n"
    )


# ---- YAML


def test_block_style():
    value = {"a": [1, [2, 3], {"b": {}, "c": ["x"]}], "d": {"e": ""}, "yes": "no", "f": "1", "g h": "true"}
    assert to_yaml(value) == (
        'a:\n- 1\n- - 2\n  - 3\n- b: {}\n  c:\n  - x\nd:\n  e: ""\n"yes": "no"\nf: "1"\ng h: "true"\n'
    )


SCALARS = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["yes", "No", "NULL", "~", "1e5", "0x1F", "1_000", "12:30:00", "2001-01-01", "- a", "a: b", "a #b", "=", "<<", "?", "*a", "&a",
     "!x", "|", ">", "%", "@", "`", "'", '"', "{", "}", "[", "]", ",", "---", "...", " a", "a ", "a\n", "é", "\u2028", "\x85", "\ufeff", "\U0001f642", "e5", "inf", ".inf", "o", "n", "Off"]
)  # fmt: skip
PLAIN = st.recursive(
    SCALARS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_what_is_written_is_read_back(value):
    yaml = pytest.importorskip("yaml", reason="the texts are read back with PyYAML")
    text = to_yaml(value)
    back = yaml.safe_load(text)
    assert json.dumps(back) == json.dumps(value)


@given(st.dictionaries(TEXTS, SCALARS | TEXTS, min_size=1, max_size=5))
def test_csv_keeps_its_fields(record):
    table = ca.compare_formats(record, Bytes(), ["CSV"])
    names, row = csv.reader(io.StringIO(table["CSV"].text, newline=""))
    assert names == [*record]
    for cell, value in zip(row, record.values(), strict=True):
        assert cell == (value if isinstance(value, str) else "" if value is None else json.dumps(value))
