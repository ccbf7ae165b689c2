"""The pictures of a comparison and `cutaway compare`."""

import json
import re

import cutaway as ca
import pytest
from compare_models import ALPACA, answer, made, make_files, table_of_tokens
from cutaway import command_compare
from cutaway.cli import main


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return make_files(tmp_path_factory.mktemp("models"))


def test_the_template_is_dimmed_and_everything_is_escaped():
    page = (
        made([answer("base"), answer("tuned", prompt="Why?", error="<b>bad</b>", text=None, ids=(), pieces=())])
        .view()
        .page()
    )
    assert "&lt;u&gt;<b>Why?</b>&lt;/u&gt;" in page  # .read is dim, its <b> is not
    assert "failed: &lt;b&gt;bad&lt;/b&gt;" in page and "<u>" not in page
    assert page.count('class="tok heat"') == 3 and "repeats 0 %" in page


def test_hostile_text_stays_text():
    evil = "\"'><script>alert(1)</script>\ud800\x1b[31m\u202e"
    rows = [answer("base", prompt=evil, rendered=evil, span=(0, len(evil)), text=evil, pieces=(evil, "\n", "x"))]
    comparison = made(rows, labels=("base", "<script>"))
    page = comparison.view().page()
    page.encode("utf-8")
    assert "<script>" not in page and "\x1b" not in page
    assert "\x1b" not in repr(comparison)


def test_long_texts_are_windowed():
    long = dict(ids=(3,) * 5000, pieces=("word ",) * 5000, logprobs=(-1.0,) * 5000, entropies=(1.0,) * 5000)
    rows = [answer(m, i, text="word " * 5000, tokens=5000, **long) for i in range(20) for m in ("base", "tuned")]
    page = made(rows).view().page()
    assert len(page.encode()) < 200_000 and "8 more prompts" in page and "more characters" in page


def test_a_row_for_a_prompt_and_a_column_for_a_model():
    comparison = made([answer(m, i) for m in ("base", "tuned") for i in range(3)])
    page = comparison.view().page()
    assert page.count("<section") == 3 and page.count("<h5>base</h5>") == page.count("<h5>tuned</h5>") == 3
    shown = repr(comparison)
    assert re.search(r"base +tuned", shown) and shown.count("Yes") == 6
    assert made([]).view().page()


def test_divergence_colours_tokens_by_kl():
    page = table_of_tokens()._repr_html_()
    assert "--v:0.5" in page and "--v:1" in page and "apart from layer 3" in page
    assert "answer of base, sample 1" in page and "&lt;too long&gt;" in page and "<i>&" not in page
    assert "mean KL(a || b) 1.250 nats, 50 % flips, mean entropy shift +0.500 nats" in page


# ---- the command


def command(*arguments):
    return main(["compare", *map(str, arguments), "-n", "6", "--no-progress", "--threads", "1"])


def test_command_shows_the_models_side_by_side(files, capsys):
    assert command(files["base"], files["other"], "-p", "the", "-p", "it is") == 0
    out = capsys.readouterr()
    assert re.search(r"base +other", out.out) and "2 prompts" in out.out and out.err == ""


def test_command_json_is_the_table(files, tmp_path, capsys):
    (tmp_path / "prompts.txt").write_text("the\n\nit is\n", "utf-8")
    (tmp_path / "template.txt").write_text(ALPACA, "utf-8")
    given = [
        f"a={files['base']}",
        files["other"],
        "--prompts",
        tmp_path / "prompts.txt",
        "--samples",
        2,
        "--seed",
        3,
        "--json",
    ]
    assert command(*given, "--template", f"a={tmp_path / 'template.txt'}", "--template", "other=", "--bits") == 0
    got = json.loads(capsys.readouterr().out)
    expected = ca.compare(
        {"a": files["base"], "other": files["other"]}, ["the", "it is"], n=2, seed=3, max_new_tokens=6, progress=False,
        templates={"a": ALPACA, "other": None},
    )  # fmt: skip
    assert [(r["model"], r["prompt"], r["sample"], r["seed"], r["text"]) for r in got["rows"]] == [
        (r.model, r.prompt, r.sample, r.seed, r.text) for r in expected
    ]
    assert len(got["bits_per_byte"]) == len(expected.bits_per_byte(progress=False))


def test_command_json_has_no_nan(files, capsys):
    assert command(files["base"], "-p", "the " * 300, "--json") == 0
    (row,) = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["rows"]
    assert row["mean_logprob"] is None and "context holds" in row["error"]


def test_command_writes_a_page_and_resumes(files, tmp_path, capsys):
    given = [
        files["base"],
        "--prompts",
        tmp_path / "p.json",
        "--html",
        tmp_path / "x.html",
        "--resume",
        tmp_path / "run.jsonl",
    ]
    (tmp_path / "p.json").write_text('["the", "it\\nis"]', "utf-8")
    for _ in range(2):
        assert command(*given) == 0
        shown = capsys.readouterr()
        assert shown.out == "" and "x.html" in shown.err
    assert (tmp_path / "x.html").read_text("utf-8").startswith("<!doctype html>")
    assert len((tmp_path / "run.jsonl").read_text("utf-8").splitlines()) == 3


def test_ctrl_c_in_the_bits_keeps_the_answers(files, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("cutaway.comparison.table.Comparison.bits_per_byte", interrupted)
    assert command(files["base"], "-p", "the", "--bits", "--json") == 130
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["tokens"] == 6


def test_a_page_that_cannot_be_written_costs_no_answers(files, tmp_path, capsys, monkeypatch):
    page = tmp_path / "absent" / "x.html"
    assert command(files["base"], "-p", "the", "--html", page) == 1
    said = f"cutaway: {page} cannot be written: there is no folder {page.parent}.\n"
    assert capsys.readouterr() == ("", said)  # at once, before any work
    monkeypatch.setattr(command_compare, "writable", lambda path: None)  # the folder goes while the models run
    assert command(files["base"], "-p", "the", "--html", page) == 1
    shown = capsys.readouterr()
    assert "1 prompt" in shown.out and "mean log P" in shown.out
    assert shown.err.endswith("x.html cannot be written: No such file or directory.\n") and shown.err.count("\n") == 1


def test_a_long_prompt_is_shown_by_its_ends(files, capsys):
    prompt = "first words " + "hat " * 3000 + "last words"
    assert command(files["base"], "-p", prompt) == 0
    shown = capsys.readouterr().out
    assert "first words" in shown and "last words" in shown and shown.count("hat") < 120
    assert "(11,622 more characters)" in " ".join(shown.split()) and "the context holds" in " ".join(shown.split())


def test_a_row_from_a_file_of_anyone_is_escaped():
    assert "<b>x" not in made([answer("base", finish_reason="<b>x")], labels=("base",)).view().page()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "There are no prompts"),
        (["-p", "x", "--template", "base={tmp}/bytes.txt"], "bytes.txt is not text in UTF-8, at byte 0"),
        (["-p", " "], "The prompt is empty"),
        (["--prompts", "{tmp}/absent.txt"], "absent.txt'. --prompts takes the path of a file"),
        (["--prompts", "{tmp}/bytes.txt"], "is not text in UTF-8, at byte 0"),
        (["--prompts", "{tmp}/bad.json"], "is not JSON"),
        (["--prompts", "{tmp}/dict.json"], "holds no list of texts"),
        (["-p", "x", "--template", "base"], "expected LABEL=FILE"),
        (["-p", "x", "--template", "bse="], "Did you mean 'base'"),
        (["-p", "x", "--samples", "0"], "n must be a whole number, 1 or greater"),
        (["{tmp}/base.gguf", "-p", "x"], "Two models are called 'base'. Write LABEL=MODEL"),
        (["base={base}", "-p", "x"], "Two models are called"),
        (["x=nothing", "-p", "x"], "no model 'nothing'"),
    ],
)
def test_mistakes_at_the_command(files, tmp_path, capsys, arguments, message):
    (tmp_path / "bytes.txt").write_bytes(b"\xff")
    (tmp_path / "bad.json").write_text("[", "utf-8")
    (tmp_path / "dict.json").write_text("{}", "utf-8")
    given = [a.format(tmp=tmp_path, base=files["base"]) for a in arguments]
    assert command(files["base"], *given) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("cutaway: ") and message in shown and shown.count("\n") == 1
