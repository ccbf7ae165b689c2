"""What the rows of `make bench` on tokenizers judge by: who may be timed, what counts as reached, and the texts."""

import unicodedata

import numpy as np
import pytest
import sentencepiece
from bench import __main__ as command
from bench import emoji, page, tokenizing
from bench import side_tokenizers as work
from bench.rows import tokenize_bpe
from bench.run import OURS, Run
from bench.sentencepiece_model import model_of
from bench.summary import check, unmeasured
from cutaway.bench.workers import Side, SideError, Worker
from peers import conformance_file
from test_bench_page import stored_run
from tokenizer_files import golden_lines
from translations import need_wheels


def answers(value):
    """A worker that answers so, or refuses."""

    def worker(*_):
        if isinstance(value, Exception):
            raise value
        return value

    return worker


def test_only_who_gives_our_ids_is_timed():
    workers = {
        OURS: answers(np.array([1, 2, 3])),
        "equal": answers(np.array([1, 2, 3])),
        "other": answers(np.array([1, 23])),
        "refusing": answers(SideError("Traceback\n  ...\nValueError: too long\n")),
    }
    fit, unfit = tokenizing.same_ids(workers, {"absent": "no module"}, "text")
    assert fit == {OURS: workers[OURS], "equal": workers["equal"]}
    assert unfit == {
        "absent": "no module",
        "other": "gives other ids: 2 of them, ours are 3",
        "refusing": "refuses this text: ValueError: too long",
    }


def test_lists_are_compared_text_by_text():
    ids, lengths = np.array([1, 2, 3]), np.array([1, 2])
    assert tokenizing.other_lists((ids, lengths), (ids, lengths)) == ""
    assert tokenizing.other_lists((ids, np.array([2, 1])), (ids, lengths))  # cut elsewhere
    assert tokenizing.other_lists((np.array([1, 2, 4]), lengths), (ids, lengths))
    assert tokenizing.other_bytes(b"ab", b"ab") == ""
    assert tokenizing.other_bytes(b"abc", b"ab") == "gives another text: 3 bytes, ours are 2"


def test_a_bound_whose_side_is_missing_is_not_reached():
    run = Run(rounds=1, say=lambda text: None)
    jobs = {OURS: lambda: 6.0, "slow": lambda: 3.0}
    missing = {"refusing": "refuses this text", "unasked": "absent"}
    line = tokenizing.timed(run, "case", "MB/s", jobs, missing, {"slow": 1.5, "refusing": 1.5})
    assert line["checks"] == [check("times slow", 2.0, least=1.5), unmeasured("times refusing", 1.5)]
    assert [one["reached"] for one in line["checks"]] == [True, False]
    assert tokenizing.timed(run, "case", "us", jobs, {}, {"slow": 1.5})["checks"] == [
        check("times slow", 0.5, least=1.5)
    ]


def test_the_page_and_the_screen_name_it(tmp_path, capsys):
    line = {"case": "c", "unit": "MB/s", "gate": {}, "missing": {"refusing": "too long"}, "sides": {}}
    line["checks"] = [unmeasured("times refusing", 1.5), check("times slow", 1.0, least=1.5)]
    command.print_line(line)
    said = capsys.readouterr().out
    assert "times refusing" in said and "at least 1.5: not measured" in said and "at least 1.5: SHORT" in said
    command.store(stored_run() | {"lines": [line]}, tmp_path)
    text = page.benchmarks_page(tmp_path)
    assert "| c | times refusing |  | at least 1.5 | **not measured** |" in text
    assert "| c | times slow | 1 | at least 1.5 | **no** |" in text and "- c: refusing not measured: too long" in text


def test_a_worst_case_is_held_against_prose():
    run = Run(rounds=1, say=lambda text: None)
    seconds = {"a" * 100: 4e-7, "prose": 1e-8}  # 4 ns a byte, 2 ns a byte

    def worker(job, text):
        return np.zeros(1) if job is work.ids else seconds[text]

    sides = {OURS: worker, "tiktoken": worker, "rs-bpe": worker}
    line = tokenize_bpe.worst(run, sides, {}, "a", "a" * 100, "prose")
    assert {label: side["median"] for label, side in line["sides"].items()} == {
        OURS: 4.0, "tiktoken": 4.0, tokenize_bpe.PROSE: 2.0,
    }  # fmt: skip
    assert line["checks"] == [check("times the time of prose", 2.0, most=3.0), check("times tiktoken", 1.0)]


def test_a_text_that_is_unseen(monkeypatch):
    monkeypatch.setattr(work, "LEAST_SECONDS", 1e-9)

    class Side:
        met = 0
        given = []  # noqa: RUF012
        encode = given.append

    for _ in range(3):
        assert work.unseen_encoding(Side, "abcdef") > 0
    assert Side.given == ["abcde", "abcd", "abc"]


def test_what_workers_answer():
    path = str(conformance_file("r50k_base.tiktoken"))
    texts = ["Hello world", "", "नमस्ते", "a  b"]
    said = []
    for maker in ("Cutaway", "Tiktoken"):
        with Worker(Side(f"bench.side_tokenizers:{maker}", {"path": path})) as worker:
            ids, lengths = worker(work.batch_ids, texts)
            said.append((ids.tolist(), lengths.tolist(), worker(work.text_of, ids)))
    assert said[0] == said[1]
    assert said[0][1][:2] == [2, 0] and said[0][2] == "".join(texts).encode()


def test_the_sentencepiece_model_of_a_gguf_file(tmp_path):
    path = tmp_path / "tokenizer.model"
    path.write_bytes(model_of(conformance_file("ggml-vocab-llama-spm.gguf")))
    original = sentencepiece.SentencePieceProcessor(model_file=str(conformance_file("llama2.spm.model")))
    again = sentencepiece.SentencePieceProcessor(model_file=str(path))
    lines = golden_lines()
    assert len(again) == len(original) == 32000
    assert again.encode(lines) == original.encode(lines)


def test_languages_have_a_text_each():
    need_wheels()
    texts = tokenizing.languages()
    assert list(texts) == ["Chinese", "Hindi", "Russian", "Burmese"]
    for title, name in {"Chinese": "CJK", "Hindi": "DEVANAGARI", "Russian": "CYRILLIC", "Burmese": "MYANMAR"}.items():
        letters = [unicodedata.name(c, "") for c in texts[title] if ord(c) > 127 and unicodedata.category(c)[0] == "L"]
        assert len(letters) > 2000 and sum(name in letter for letter in letters) > 0.95 * len(letters)


def test_the_text_of_emoji():
    need_wheels()
    every = emoji.sequences()
    assert len(every) == len(set(every)) and {
        "👩🏽\u200d💻",
        "🇩🇪",
        "1\ufe0f\u20e3",
        "🏃🏿\u200d♀️",
        "👨\u200d👩\u200d👧\u200d👦",
    } <= set(every)
    assert all(
        unicodedata.category(c) in ("So", "Sk", "Sm", "Cf", "Mn", "Me", "Nd", "Po") for one in every for c in one
    )
    text = emoji.emoji_text(2)
    assert text == emoji.emoji_text(2)
    assert len(text.replace(" ", "").replace("\n", "")) == 2 * sum(map(len, every))
    assert max(len(line.split(" ")) for line in text.split("\n")) == 10


@pytest.mark.parametrize("row", ["tokenize_bpe", "tokenize_others"])
def test_every_bound_names_a_side(row):
    """A bound on a side that is never started would be silently absent."""
    from bench.rows import tokenize_others

    bounds = [(tokenize_bpe.BEST, tokenize_bpe.SIDES)]
    if row == "tokenize_others":
        bounds = [(reach, sides) for _, sides, reach in tokenize_others.MODELS.values()]
    for reach, sides in bounds:
        assert set(reach) == set(sides) - {OURS}
