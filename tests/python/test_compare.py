"""ca.compare: rows, templates, failures, resumption."""

import contextlib
import gc
import json
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import replace
from pathlib import Path

import cutaway as ca
import numpy as np
import pytest
from compare_models import ALPACA, CHATML, load_all, make_files
from cutaway.comparison import answers, metrics
from cutaway.comparison.log import Log
from cutaway.comparison.prompts import Template, content
from cutaway.comparison.table import COLUMNS
from cutaway.probabilities import log_softmax

PROMPTS = ["the other one", "Hello, it is an error", "re"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return make_files(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def models(files):
    return load_all(files)


def run(models, prompts=PROMPTS, **settings):
    return ca.compare(models, prompts, progress=False, **{"max_new_tokens": 12, **settings})


def same(a, b):
    """Equal rows, seconds aside; repr, since NaN is not equal to itself."""
    assert [repr(replace(row, seconds=0.0)) for row in a] == [repr(replace(row, seconds=0.0)) for row in b]


# ---- numbers


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([], 0),
        ([1, 2, 3], 0),
        ([1, 2, 3, 4], 0),
        ([1, 2, 3, 4, 1, 2, 3, 4], 1 / 5),
        ([7] * 7, 3 / 4),
        ([1, 2, 3, 4, 5, 1, 2, 3, 5, 4], 0),
        ([1, 2, 1, 2, 1, 2, 1, 2], 3 / 5),
    ],
)
def test_repeats(ids, expected):
    assert metrics.repeats(ids) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(
    ("answer", "prompt", "expected"),
    [
        ([], [1], 0),
        ([1], [], 0),
        ([9, 8], [1, 2, 3], 0),
        ([5, 1, 2, 3, 9], [0, 1, 2, 3], 3 / 4),
        ([1, 2, 9, 1, 2, 3], [1, 2, 3, 4], 3 / 4),
        ([0, 1, 2, 3, 4], [1, 2, 3], 1),
        ([1, 1, 1], [1, 1, 2], 2 / 3),
        ([3, 2, 1], [1, 2, 3], 1 / 3),
    ],
)
def test_echoes_prompt(answer, prompt, expected):
    assert metrics.echoes_prompt(answer, prompt) == expected


def test_divergence_of_known_distributions():
    p, q = np.log([[0.5, 0.25, 0.25]]), np.log([[0.25, 0.25, 0.5]])
    kl, entropy_p, entropy_q = metrics.kl_and_entropies(p, q)
    assert kl[0] == pytest.approx(0.25 * np.log(2), rel=1e-12)
    assert entropy_p[0] == entropy_q[0] == pytest.approx(1.5 * np.log(2), rel=1e-12)
    assert metrics.kl_and_entropies(p, p)[0][0] == 0
    two, three = log_softmax(np.asarray([[0, 0, -np.inf]])), log_softmax(np.zeros((1, 3)))
    assert metrics.kl_and_entropies(two, three)[0][0] == pytest.approx(np.log(3 / 2))
    assert metrics.kl_and_entropies(three, two)[0][0] == np.inf
    assert metrics.entropy_and_top(np.float32([0, -np.inf, 0])) == (pytest.approx(np.log(2)), 0)


def test_a_divergence_is_never_negative():
    # One token is certain but for a rounding error: the sum of the terms is -2.2e-16.
    certain = np.asarray([[-np.finfo(float).eps, -800.0]])
    assert metrics.kl_and_entropies(certain, np.asarray([[0.0, -800.0]]))[0][0] == 0


# ---- rows


def test_rows_are_what_generate_gives(models):
    result = run(models, n=2, seed=5, top_k=20)
    assert [(r.model, r.prompt, r.sample) for r in result] == [
        (label, prompt, j) for label in models for prompt in PROMPTS for j in range(2)
    ]
    for row in result:
        alone = models[row.model].generate(
            row.prompt, seed=5 + row.sample, temperature=0.7, top_k=20, max_new_tokens=12, ledger=True
        )
        assert row.ids == tuple(alone.ids) and row.text == alone.text and row.prompt_ids == tuple(alone.prompt_ids)
        assert (row.seed, row.finish_reason, row.tokens) == (5 + row.sample, alone.finish_reason, len(alone.ids))
        assert row.mean_logprob == pytest.approx(alone.logprobs.mean(), rel=1e-12)
        tops = [int(step.logits.argmax()) for step in alone.steps]
        assert row.top1_rate == pytest.approx(np.mean([t == i for t, i in zip(tops, alone.ids, strict=True)]))
        entropies = [step.explain().stages[0].entropy_before for step in alone.steps]
        assert row.entropies == pytest.approx(entropies, rel=1e-9)
        assert row.entropy == pytest.approx(np.mean(entropies), rel=1e-9)
        assert row.error is None and row.seconds > 0


def test_the_frame(models):
    pandas = pytest.importorskip("pandas")
    frame = run(models, [*PROMPTS, ""]).to_pandas()
    assert tuple(frame.columns) == COLUMNS
    assert tuple(frame.columns) == tuple(
        "model prompt sample seed text finish_reason tokens mean_logprob entropy top1_rate repeats echoes_prompt seconds error".split()
    )
    assert len(frame) == 12 and frame["error"].notna().sum() == 3
    assert pandas.api.types.is_float_dtype(frame["entropy"]) and pandas.api.types.is_integer_dtype(frame["tokens"])


def test_more_rows_than_a_batch_holds(models):
    prompts = [f"the {i} error" for i in range(40)]
    result = run({"m": models["base"]}, prompts, max_new_tokens=5)
    for row, prompt in zip(result, prompts, strict=True):
        assert row.ids == tuple(models["base"].generate(prompt, seed=0, temperature=0.7, max_new_tokens=5).ids)


def test_a_stop_token_is_drawn_and_not_said(models):
    model = models["base"]
    eos = model.tokenizer.eos_id
    rows = run({"m": model}, [f"{i} the" for i in range(200)], max_new_tokens=60, temperature=1.5)
    stopped = [row for row in rows if row.finish_reason == "stop"]
    assert stopped
    for row in stopped:
        assert row.ids[-1] == eos and row.tokens == len(row.ids) == len(row.logprobs) == len(row.pieces)
        assert row.text == model.tokenizer.decode(row.ids[:-1], continuation=True)


def test_nothing_to_generate(models):
    (row,) = run({"m": models["base"]}, "the", max_new_tokens=0)
    assert (row.text, row.tokens, row.finish_reason, row.repeats) == ("", 0, "length", 0)
    assert np.isnan(row.mean_logprob) and np.isnan(row.entropy) and np.isnan(row.top1_rate)


# ---- templates


def test_each_model_reads_its_template(models):
    result = run(models, ["the <b> error"], templates={"base": None, "tuned": ALPACA, "other": CHATML})
    read = {row.model: row for row in result}
    assert read["base"].rendered == "the <b> error"
    assert read["tuned"].rendered == '### {"Instruction"}:\nthe <b> error\n\n### Response:\n'
    assert read["other"].rendered == "<|im_start|>user\nthe <b> error<|im_end|>\n<|im_start|>assistant\n"
    for row in result:
        assert row.rendered[slice(*row.span)] == "the <b> error"
        shown = models[row.model].tokenizer.decode(row.prompt_ids, skip_special_tokens=row.model == "other")
        assert shown.endswith(row.rendered[-9:])
        assert (
            row.text
            == models[row.model].generate(np.asarray(row.prompt_ids), seed=0, temperature=0.7, max_new_tokens=12).text
        )
    assert (
        read["other"].prompt_ids[0] != models["other"].tokenizer.bos_id
    )  # a chat template says itself whether it has one
    assert "### Response" in repr(result) and "<b>the &lt;b&gt; error</b>" in result._repr_html_()


def test_bos_is_added_once(models):
    tokenizer = models["other"].tokenizer
    for template in ("{prompt}", "<bos>{prompt}"):
        ids, spans = Template.of(template).encode(template.replace("{prompt}", "the"), tokenizer)
        assert ids.tolist().count(tokenizer.bos_id) == 1 and len(spans) == len(ids)


@pytest.mark.parametrize("prompt", ["user", "assistant", "<|im_start|>user\n", "  the  ", "{prompt}", "{{ x }}", "é𝄞"])
def test_the_prompt_is_found_in_a_chat_template(models, prompt):
    rendered = Template.of(CHATML).render(prompt, models["base"].tokenizer)
    assert rendered.text[rendered.begin : rendered.end] == prompt.strip()
    assert rendered.begin == len("<|im_start|>user\n") and rendered.text[rendered.end :].startswith("<|im_end|>")
    raw = rendered.text.encode()
    begin, end = rendered.span()
    assert raw[begin:end].decode() == prompt.strip()


def test_a_template_that_hides_the_prompt_has_no_content(models):
    rendered = Template.of("{{ messages[0]['content'] | length }} letters").render("the", models["base"].tokenizer)
    assert rendered.text == "3 letters" and rendered.begin == rendered.end
    rendered = Template.of(CHATML).render("\n", models["base"].tokenizer)  # trimmed away
    assert rendered.text.startswith("<|im_start|>user\n<|im_end|>") and rendered.begin == rendered.end


def test_tokens_that_straddle_a_border_are_no_content(models):
    tokenizer = models["base"].tokenizer
    template = Template.of("x t{prompt}n")  # " t" and "he" merge, and "a" and "n"
    rendered = template.render("he cat a", tokenizer)
    ids, spans = template.encode(rendered.text, tokenizer)
    assert tokenizer.tokens(ids) == ["x", " the", " ", "c", "a", "t", " ", "an"]
    assert [tokenizer.tokens(ids)[i] for i in content(spans, *rendered.span())] == [" ", "c", "a", "t", " "]
    bos = models["other"].tokenizer
    ids, spans = Template("raw").encode("the", bos)
    assert ids[0] == bos.bos_id and content(spans, 0, 3).tolist() == list(range(1, len(ids)))


# ---- rows that fail


def test_a_failed_row_carries_its_error_and_the_rest_survives(models):
    prompts = ["the", "the error " * 60, "", "\ud800", "it"]
    result = run(models, prompts, n=2)
    assert len(result) == 30
    for row in result:
        good = row.prompt in ("the", "it")
        assert (row.error is None) == good == (row.text is not None) and (row.finish_reason == "error") != good
    said = {row.prompt_index: row.error for row in result if row.model == "base"}
    assert "context holds 256" in said[1] and "empty" in said[2] and "surrogate" in said[3]
    alone = {(row.model, row.prompt, row.sample): row.ids for row in run(models, ["the", "it"], n=2)}
    assert alone == {(row.model, row.prompt, row.sample): row.ids for row in result if row.error is None}
    result.view().page().encode("utf-8")
    assert "failed" in repr(result) and result.records()[2]["text"] is None


def test_a_row_that_fails_in_a_batch_fails_alone(models, monkeypatch):
    take = answers._Watched.take

    def failing(self, logits, trace=None):
        if self.key == (3, 0) and len(self.seen) == 4:
            raise ca.Error("the fourth token is too much.")
        return take(self, logits, trace)

    prompts = [f"the {i}" for i in range(20)]
    expected = run({"m": models["base"]}, prompts)
    monkeypatch.setattr(answers._Watched, "take", failing)
    result = run({"m": models["base"]}, prompts)
    assert [row.error for row in result] == [None] * 3 + ["the fourth token is too much."] + [None] * 16
    same([r for r in result if r.error is None], [r for r in expected if r.prompt_index != 3])


def test_ctrl_c_returns_what_has_ended(models, monkeypatch):
    take = answers._Watched.take

    def interrupted(self, logits, trace=None):
        if self.prompt.model is models["tuned"] and len(self.seen) == 3:
            raise KeyboardInterrupt
        return take(self, logits, trace)

    monkeypatch.setattr(answers._Watched, "take", interrupted)
    result = run(models)
    assert result.interrupted and [row.model for row in result] == ["base"] * 3
    assert "interrupted" in repr(result) and "no rows" in result._repr_html_()


# ---- mistakes


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"prompts": []}, "prompts is empty"),
        ({"prompts": 3}, "list of texts, got int"),
        ({"prompts": ["a", 7]}, r"prompts\[1\] is 7"),
        ({"n": 0}, "n must be a whole number, 1 or greater, got 0"),
        ({"seed": None}, "seed is None"),
        ({"seed": [1, 2]}, "expected one whole number"),
        ({"seed": 2**64 - 1, "n": 2}, r"2\^64"),
        ({"models": []}, "models is empty"),
        ({"models": [7]}, "models holds 7"),
        ({"models": {"a": 7}}, "models holds 7"),
        ({"models": ["no-such-model"]}, "no model 'no-such-model'"),
        ({"align": "all"}, "align is 'all', expected 'content' or 'answer'"),
        ({"temprature": 1}, "Did you mean temperature"),
        ({"top_p": 90}, "top_p"),
        ({"ledger": True}, "compare keeps no ledger"),
        ({"templates": "x"}, "dict of label"),
        ({"templates": {"bse": None}}, "names 'bse', and no model is called so. Did you mean 'base'"),
        ({"templates": {"zzz": None}}, "The labels are: base, tuned, other"),
        ({"templates": {"base": "### Instruction:"}}, r"templates\['base'\].*\{prompt\} 0 times"),
        ({"templates": {"base": "{prompt}{prompt}"}}, r"\{prompt\} 2 times"),
        ({"templates": {"base": 5}}, "got 5"),
        ({"templates": {"base": "{% for %}"}}, "Chat template, line 1"),
    ],
)
def test_mistakes(models, changed, message):
    arguments = {"models": models, "prompts": PROMPTS, "progress": False} | changed
    with pytest.raises(ca.ArgumentError, match=message):
        ca.compare(**arguments)


def test_a_file_that_is_no_model_is_found_before_the_first_row(files, tmp_path, monkeypatch):
    paper, empty = tmp_path / "paper.pdf", tmp_path / "folder"
    paper.write_bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    empty.mkdir()
    monkeypatch.setattr(ca, "load", lambda *_, **__: pytest.fail("loaded"))
    for second, message in ((paper, "paper.pdf.*this looks like a PDF"), (empty, "folder.*without config.json")):
        with pytest.raises(ca.Error, match=message):
            run([files["base"], second], resume=tmp_path / "run.jsonl")
        assert not (tmp_path / "run.jsonl").exists()


def test_two_models_of_one_name(files, models):
    with pytest.raises(ca.ArgumentError, match="Two models are called 'base'. Give them labels"):
        run([files["base"], models["base"]])
    assert run([files["base"], models["tuned"]], "the").labels == ["base", "tuned"]


def test_named_models_are_loaded_one_after_the_other_and_freed(files, monkeypatch):
    alive, most, load = [], [], ca.load

    def watched(path, **options):
        gc.collect()
        most.append(sum(ref() is not None for ref in alive))
        model = load(path, **options)
        alive.append(weakref.ref(model))
        return model

    monkeypatch.setattr(ca, "load", watched)
    result = run([str(path) for path in files.values()], load={"threads": 1})
    gc.collect()
    assert most == [0, 0, 0] and all(ref() is None for ref in alive) and result.labels == list(files)
    result.bits_per_byte(progress=False)
    gc.collect()
    assert most == [0] * 6 and all(ref() is None for ref in alive)


def test_progress(models, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    ca.compare(models, PROMPTS, max_new_tokens=2)
    shown = capsys.readouterr()
    assert "9/9" in shown.err and "other" in shown.err and shown.out == ""
    run(models)
    assert capsys.readouterr().err == ""


def test_parts_of_a_comparison(models):
    result = run(models)
    assert [row.prompt_index for row in result.of([0, 2])] == [0, 2] * 3 and result[3:5].labels == list(models)
    assert result.of(1).prompts == {1: PROMPTS[1]}
    with pytest.raises(ca.ArgumentError, match="no prompt 7; the prompts are 0 to 2"):
        result.of(7)


def test_a_long_comparison_shows_a_part(models):
    result = run({"m": models["base"]}, [f"the {i}" for i in range(60)], max_new_tokens=60)
    page = result.view().page()
    assert len(page.encode()) < 200_000 and "48 more prompts" in page
    assert repr(result).count("\n") == 60  # a line each


# ---- resumption


def test_resume_gives_the_same_table(models, tmp_path):
    path = tmp_path / "run.jsonl"
    prompts = [*PROMPTS, ""]
    whole = run(models, prompts, n=2)
    same(run(models, prompts, n=2, resume=path), whole)
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 25
    path.write_bytes(b"".join(lines[:9]) + lines[9][:40])  # killed while it wrote
    same(run(models, prompts, n=2, resume=path), whole)
    assert sorted(path.read_bytes().splitlines()[1:9]) == sorted(line.strip() for line in lines[1:9])
    before = path.read_bytes()
    same(run(models, prompts, n=2, resume=path), whole)
    assert path.read_bytes() == before
    path.write_bytes(before[:30])  # killed in its first line
    same(run(models, prompts, n=2, resume=path), whole)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": 1}, "seed was 0, now 1"),
        ({"temperature": 1.0}, r"Temperature\(0.7\)"),
        ({"max_new_tokens": 13}, "max_new_tokens was 12, now 13"),
        ({"prompts": [*PROMPTS[:2], "rf"]}, "prompts_digest"),
        ({"templates": {"base": ALPACA}}, "templates was {}"),
        ({"stop": "x"}, "stop was"),
    ],
)
def test_a_file_of_other_settings_is_left_alone(models, tmp_path, changed, message):
    path = tmp_path / "run.jsonl"
    run(models, resume=path)
    before = path.read_bytes()
    with pytest.raises(ca.ArgumentError, match=f"other settings: .*{message}"):
        run(models, resume=path, **changed)
    assert path.read_bytes() == before


def test_another_model_under_the_same_name_is_another_run(files, models, tmp_path):
    run({"m": models["base"]}, resume=tmp_path / "run.jsonl")
    with pytest.raises(ca.ArgumentError, match="other settings: models was"):
        run({"m": models["tuned"]}, resume=tmp_path / "run.jsonl")


@pytest.mark.parametrize(
    "found", [b"a,b\n1,2\n", b"{}\n", b"important notes", b'{"kind": "cutaway compare", "version": 1}\n']
)
def test_a_file_of_another_kind_is_left_alone(models, tmp_path, found):
    path = tmp_path / "notes.txt"
    path.write_bytes(found)
    with pytest.raises(ca.ArgumentError, match="resume: .*notes.txt"):
        run(models, resume=path)
    assert path.read_bytes() == found


def test_damage_inside_the_file_is_named(models, tmp_path):
    path = tmp_path / "run.jsonl"
    run(models, resume=path)
    lines = path.read_bytes().splitlines()
    for bad, message in ((b"{", "line 3 .* is damaged"), (b'{"model": "base"}', "line 3 .* has no 'prompt'")):
        path.write_bytes(b"\n".join([*lines[:2], bad, *lines[3:]]) + b"\n")
        with pytest.raises(ca.ArgumentError, match=message):
            run(models, resume=path)
    with pytest.raises(ca.ArgumentError, match="cannot be opened"):
        run(models, resume=tmp_path)


def test_one_run_at_a_time(tmp_path):
    log = Log(tmp_path / "run.jsonl", {})
    with pytest.raises(ca.Error, match="another process is writing"):
        Log(tmp_path / "run.jsonl", {})
    log.close()
    Log(tmp_path / "run.jsonl", {}).close()


def on_a_terminal(command, environment):
    """A process whose stderr is a terminal, where bars show; and the list of what it writes there."""
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))  # a bar needs room
    process = subprocess.Popen(command, stderr=theirs, env=environment)
    os.close(theirs)
    screen = list[bytes]()

    def read():
        with contextlib.suppress(OSError):  # EIO: the process has gone
            while block := os.read(ours, 4096):
                screen.append(block)
        os.close(ours)

    threading.Thread(target=read, daemon=True).start()
    return process, screen


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_killed_run_goes_on(files, tmp_path):
    path = tmp_path / "run.jsonl"
    prompts = [f"the {i} error" for i in range(1000)]
    program = (
        "import sys, json, cutaway as ca; models, prompts, path = json.loads(sys.argv[1]);"
        "ca.compare(models, prompts, max_new_tokens=2, resume=path)"
    )
    named = [str(files["base"]), str(files["tuned"])]
    package = Path(ca.__file__).parents[1]
    process, screen = on_a_terminal(
        [sys.executable, "-c", program, json.dumps([named, prompts, str(path)])],
        {**os.environ, "PYTHONPATH": str(package)},
    )
    deadline = time.monotonic() + 120
    while not path.exists() or path.read_bytes().count(b"\n") < 20 or b"/2000 [" not in b"".join(screen):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = path.read_bytes()[: path.read_bytes().rfind(b"\n") + 1]
    done = kept.count(b"\n") - 1  # the first line holds the settings
    assert 19 <= done < 2000
    process, screen = on_a_terminal(process.args, {**os.environ, "PYTHONPATH": str(package)})
    assert process.wait(timeout=120) == 0
    counts = [int(n) for n in re.findall(rb"(\d+)/2000 \[", b"".join(screen))]
    assert counts[0] == done and counts == sorted(counts) and counts[-1] <= 2000  # the bar goes on where it was
    assert path.read_bytes().startswith(kept) and path.read_bytes().count(b"\n") == 2001
    same(run(named, prompts, max_new_tokens=2, resume=path), run(named, prompts, max_new_tokens=2))
