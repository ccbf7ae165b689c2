"""The command line on a real engine with a small model: explain, JSON, and what goes wrong around a process."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cutaway as ca
import cutaway.generate as generate
import pytest
from browser import probe
from command_line import run
from conftest import ROOT
from cutaway import verify
from cutaway.bench import measure

POSIX = pytest.mark.skipif(os.name != "posix", reason="signals, descriptors and /dev/full")
PACKAGE = str(Path(ca.__file__).parents[1])
CHAIN = ("--presence-penalty", "0.5", "-t", "0.8", "--top-k", "20", "--top-p", "0.9", "--min-p", "0.01", "--seed", "7")


@pytest.fixture(scope="module")
def path(small_model):
    return str(small_model("llama").path)


def process(*argv, **more):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([PACKAGE, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "cutaway", *argv]
    return subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, **more)


def finished(*argv, **more):
    """(exit status, stdout, stderr) of a process of its own."""
    with process(*argv, **more) as child:
        out, err = child.communicate(timeout=60)
    return child.returncode, out, err.decode()


# ---- explain


def test_explain_shows_one_step_in_bars(path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    status, out, err = run(capsys, "explain", "the hat", "-m", path, *CHAIN)
    expected = ca.load(path).generate(
        "the hat", max_new_tokens=1, presence_penalty=0.5, temperature=0.8, top_k=20, top_p=0.9, min_p=0.01, seed=7
    )
    line = expected.steps[0].explain()
    assert status == 0 and err.startswith("[1 token, seed 7, length, ")  # no rate: it came with the prompt
    assert [row.split()[0] for row in out.splitlines()[1:6]] == [stage.name for stage in line.stages]
    for said in (*line.draw_lines(), "model", "presence_penalty", "removed", "█"):
        assert said in out
    assert all(len(row) <= 100 for row in out.splitlines())


def test_explain_shows_a_line_for_each_of_several_steps(path, capsys):
    status, out, _ = run(capsys, "explain", "the hat", "-m", path, "-n", "5", "--seed", "3", "-t", "0.7")
    ledger = ca.load(path).generate("the hat", max_new_tokens=5, seed=3, temperature=0.7).ledger()
    assert status == 0 and out.splitlines() == repr(ledger).splitlines()


def test_explain_json_holds_the_ledger(path, capsys):
    status, out, _ = run(capsys, "explain", "the hat", "-m", path, *CHAIN, "-n", "3", "--top", "4", "--json")
    result = json.loads(out)
    assert status == 0
    assert list(result) == [
        "text", "ids", "prompt_ids", "logprobs", "sampled_logprobs", "seed", "finish_reason", "fingerprint", "timings",
        "settings", "steps",
    ]  # fmt: skip
    assert [stage["stage"] for stage in result["settings"]["sampler"]] == [
        "presence_penalty", "temperature", "top_k", "top_p", "min_p",
    ]  # fmt: skip
    assert [step["token"] for step in result["steps"]] == result["ids"] and len(result["ids"]) == 3
    for i, step in enumerate(result["steps"]):
        assert (step["step"], step["draw"]["logprob"]) == (i, result["logprobs"][i])
        assert step["draw"]["low"] <= step["draw"]["u"] < step["draw"]["high"]
        assert len(step["stages"]) == 5 and step["stages"][3]["value"] == 0.9
        assert len(step["top"]) in (4, 5) and all(len(row["probabilities"]) == 6 for row in step["top"])
        shown = {row["id"]: row["probabilities"][-1] for row in step["top"]}
        assert shown[step["token"]] == pytest.approx(step["draw"]["probability"])


def test_explain_step(path, capsys):
    whole = json.loads(run(capsys, "explain", "--ids", "5", "6", "-m", path, "--seed", "1", "-n", "3", "--json")[1])
    lone = json.loads(run(capsys, "explain", "--ids", "5", "6", "-m", path, "--seed", "1", "--step", "2", "--json")[1])
    assert lone["ids"] == whole["ids"] and lone["steps"] == whole["steps"][2:]


def test_explain_html(path, capsys, tmp_path):
    page = tmp_path / "x.html"
    _, _, err = run(capsys, "explain", "the hat", "-m", path, *CHAIN, "--html", str(page))
    assert err.endswith(f"[written to {page}]\n")
    text = page.read_text("utf-8")
    assert text.startswith("<!doctype html>") and len(text) < 200_000
    for said in ("<h2>What the sampler did</h2>", "<dd>the hat</dd>", "model.gguf (llama, ", "TopP(0.9)"):
        assert said in text
    assert probe(text, "return document.querySelectorAll('.stages .bar').length", tmp_path, scripts=False) >= 10


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (("--step", "-1"), "cutaway: --step counts from 0, got -1.\n"),
        (("--step", "2", "-n", "2"), "cutaway: There is no step 2: 2 tokens came out (length).\n"),
        (("--top", "0"), "cutaway: --top must be 1 or greater, got 0.\n"),
        (("--top-p", "90"), "cutaway: top_p must be above 0 and at most 1 (1 is off), got 90. It is a share: 90 % is written 0.9.\n"),
        (("-t", "-1"), "cutaway: temperature must be 0 (greedy) or greater, got -1. Usual values are 0.2 to 1.5.\n"),
        (("--n-ctx", "0"), "cutaway: n_ctx must be a whole number, 1 or greater, got 0.\n"),
        (("--isa", "sse9"), f"cutaway: isa: this machine has no 'sse9'; it offers {', '.join(ca.isas())} (ca.isas())\n"),
    ],
)  # fmt: skip
def test_mistakes(path, capsys, argv, sentence):
    status, _, err = run(capsys, "explain", "the hat", "-m", path, "--seed", "1", *argv)
    assert status == 1 and err.endswith(sentence) and "Traceback" not in err


def test_a_page_that_cannot_be_written_is_refused_before_the_work(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(ca, "load", lambda *_, **__: pytest.fail("loaded"))
    (tmp_path / "folder").mkdir()
    for page, said in (
        ("no/x.html", f"there is no folder {tmp_path / 'no'}"),
        ("folder", "it is a folder; give the name of a file in it"),
    ):
        got = run(capsys, "explain", "the hat", "--html", str(tmp_path / page))
        assert got == (1, "", f"cutaway: {tmp_path / page} cannot be written: {said}.\n")


def test_files_that_are_no_model(capsys, tmp_path):
    (tmp_path / "paper.pdf").write_bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj")
    (tmp_path / "folder").mkdir()
    for command in ("generate", "explain", "tokenize"):
        for name, said in (("paper.pdf", "paper.pdf: "), ("folder", "folder")):
            status, out, err = run(capsys, command, "x", "-m", str(tmp_path / name))
            assert (status, out) == (1, "") and said in err and err.count("\n") == 1
    err = run(capsys, "generate", "x", "-m", str(tmp_path / "papers.pdf"))[2]
    assert err == f"cutaway: There is no file or folder {tmp_path}/papers.pdf. Did you mean '{tmp_path}/paper.pdf'?\n"


@pytest.mark.parametrize("name", ["binary", "missing", "folder"])
def test_files_that_are_no_template(name, path, capsys, tmp_path):
    (tmp_path / "binary").write_bytes(b"\x89PNG\xff")
    (tmp_path / "folder").mkdir()
    status, out, err = run(capsys, "chat", "x", "-m", path, "--template", str(tmp_path / name))
    said = {
        "binary": "binary is not text in UTF-8, at byte 0",
        "missing": "there is no file",
        "folder": "Is a directory",
    }[name]
    assert (status, out) == (1, "") and said in err and err.count("\n") == 1


# ---- JSON


def keys_of(value):
    """Every key of nested JSON whose keys are fixed: those of `bytes` and `tensors` are names of the file."""
    if isinstance(value, list):
        return set().union(*map(keys_of, value))
    if not isinstance(value, dict):
        return set()
    inner = [keys_of(v) for k, v in value.items() if k not in ("bytes", "tensors")]
    return set(value).union(*inner)


def test_json_keys_are_the_documented_ones(path, small_model, capsys, monkeypatch, tmp_path):
    roomy = str(small_model("llama", "Q8_0", "int8", n_layers=2, n_ctx=8192).path)
    page = (ROOT / "docs/cli.md").read_text("utf-8").split("## JSON")[1]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", page, re.M))
    documented = {name: set(re.findall(r"`(\w+)`", text)) - {"generate"} for name, text in rows.items()}
    generation = documented["generate"]
    check = verify.Check("tiny", "int8", "scalar", (1,), "a", "a")
    monkeypatch.setattr(verify, "locate", lambda name: (name, name))
    monkeypatch.setattr(verify, "checks", lambda *_: iter([check]))
    monkeypatch.setitem(measure.PEERS, "llama.cpp", ("fake_peer:Same", "cutaway", ""))
    (tmp_path / "t").write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    calls = {
        "generate": ("the hat", "-m", path, "-n", "2"),
        "chat": ("the hat", "-m", path, "-n", "2", "--template", str(tmp_path / "t")),
        "explain": ("the hat", "-m", path, "-n", "2"),
        "tokenize": ("the hat", "-m", path),
        "info": (path,),
        "models": (),
        "compare": (f"a={path}", f"b={path}", "-p", "the hat", "-n", "2", "--template", "a=", "--template", "b="),
        "bench": (roomy, "decode", "--rounds", "1", "--peer", "llama.cpp"),
        "verify": ("tiny",),
    }
    for name, argv in calls.items():
        status, out, _ = run(capsys, name, *argv, "--json")
        extra = {"chat": generation, "explain": generation}.get(name, set())
        found = keys_of(json.loads(out)) - ({"t"} if name != "info" else set())  # a stage's own setting
        packs = {"model", "state", "removed", "bytes"}  # of --packs and --clear-packs
        missing = {"info": {"tensors", "type", "shape"}, "compare": {"bits_per_byte"}, "models": packs}.get(name, set())
        assert status == 0 and found == (documented[name] | extra) - missing, name
    assert set(rows) == set(calls)
    tensors = json.loads(run(capsys, "info", path, "--tensors", "--json")[1])["tensors"]
    assert set(tensors["token_embd.weight"]) == {"type", "shape", "bytes"}


# ---- around the process


@POSIX
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_piped_bytes_that_are_no_text(locale, path, monkeypatch):
    monkeypatch.setenv("LC_ALL", locale)
    with process("tokenize", "-m", path, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        out, err = child.communicate(b"ab\xff", timeout=60)
    assert (child.returncode, out) == (1, b"")
    assert err == b"cutaway: What is piped in is not text in utf-8, at byte 2.\n"


@POSIX
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
@pytest.mark.parametrize("flag", [(), ("--json",)])
def test_a_full_disk(flag, path):
    with open("/dev/full", "w") as full:
        got = finished("tokenize", "the hat", "-m", path, *flag, stdout=full)
    assert got == (1, None, "cutaway: output: No space left on device\n")


@POSIX
def test_closed_descriptors(path):
    def closed(number, *argv):
        return finished(*argv, "-m", path, stdout=subprocess.PIPE, preexec_fn=lambda: os.close(number))

    nowhere = "cutaway: stdout is closed, so there is nowhere to write to; nothing was done.\n"
    assert closed(1, "explain", "the hat", "--seed", "1")[::2] == (1, nowhere)
    assert closed(1, "tokenize", "the hat", "--json")[::2] == (1, nowhere)
    assert closed(2, "generate", "the hat", "-n", "1", "--seed", "1")[0] == 0
    assert closed(0, "generate")[2] == "cutaway: Give a prompt as an argument, or pipe it in.\n"


@pytest.mark.parametrize("flag", [(), ("--json",)])
def test_ctrl_c_keeps_the_ledger_so_far(flag, path, capsys, monkeypatch):
    whole, steps = generate.advance, iter(range(3))

    def interrupted(rows):
        if next(steps, None) is None:
            raise KeyboardInterrupt
        whole(rows)

    monkeypatch.setattr(generate, "advance", interrupted)
    status, out, err = run(capsys, "explain", "the hat", "-m", path, "-n", "9", "--seed", "3", *flag)
    assert status == 130
    if flag:
        result = json.loads(out)
        assert result["finish_reason"] == "interrupted"
        assert [step["token"] for step in result["steps"]] == result["ids"] and len(result["ids"]) == 3
    else:
        assert out.startswith("step  token") and out.count("\n") == 4 and "interrupted" in err


@pytest.mark.parametrize("flag", [(), ("--json",)])
def test_ctrl_c_in_verify_keeps_the_checks_so_far(flag, capsys, monkeypatch):
    def checks(name, path, isa, threads):
        yield verify.Check(name, "int8", "scalar", (1,), "a", "a")
        raise KeyboardInterrupt

    monkeypatch.setattr(verify, "locate", lambda name: (name, name))
    monkeypatch.setattr(verify, "checks", checks)
    status, out, _ = run(capsys, "verify", "tiny", *flag)
    assert status == 130
    assert [row["same"] for row in json.loads(out)] == [True] if flag else out == "tiny int8 scalar 1 token a same\n"


def test_json_takes_one_message(path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
    status, _, err = run(capsys, "chat", "-m", path, "--json")
    assert (status, err) == (1, "cutaway: --json answers a message: give it as an argument, or pipe it in.\n")
