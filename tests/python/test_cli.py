"""The command line on a fake engine: output, exit status, Ctrl-C. One sentence for every mistake, never a traceback."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cutaway
import fake_engine
import numpy as np
import pytest
from command_line import run
from cutaway import cli, commands, terminal, verify

HERE = Path(__file__).parent


@pytest.fixture
def loaded(monkeypatch):
    names = {}
    models = fake_engine.install(names)
    for name, value in names.items():
        monkeypatch.setitem(vars(cutaway), name, value)
    return models


def test_generate_streams_text_and_reports_on_stderr(loaded, capsys):
    status, out, err = run(
        capsys, "generate", "The capital", "-n", "4", "-t", "0.5", "--seed", "7", "--stop", "a", "--stop", "b"
    )
    assert (status, out) == (0, "Paris é…\n\n")
    assert err == f"[4 tokens, 12.3 tok/s, seed 7, length, {'f' * 32}]\n"
    assert loaded[0].calls == [
        ("generate", "The capital", {"max_new_tokens": 4, "temperature": 0.5, "seed": 7, "stop": ["a", "b"]})
    ]
    assert loaded[0].path == "smollm2-135m-instruct"


def test_settings_left_out_keep_the_package_defaults(loaded, capsys):
    run(
        capsys,
        "generate",
        "x",
        "-m",
        "other.gguf",
        "--compute",
        "float32",
        "--threads",
        "2",
        "--isa",
        "avx2",
        "--n-ctx",
        "64",
    )
    assert loaded[0].calls[0][2] == {}
    assert (loaded[0].path, loaded[0].engine) == (
        "other.gguf",
        {"compute": "float32", "threads": 2, "isa": "avx2", "n_ctx": 64},
    )


def test_generate_json(loaded, capsys):
    status, out, err = run(capsys, "generate", "x", "--json")
    assert (status, err) == (0, "")
    assert json.loads(out) == {
        "text": "Paris é…\n", "ids": [100, 101, 102, 103], "prompt_ids": [1, 2], "logprobs": [-0.5] * 4,
        "sampled_logprobs": [-0.25] * 4, "seed": 99, "finish_reason": "length", "fingerprint": "f" * 32,
        "timings": {"tokens_per_second": 12.34}, "settings": {"stop": [], "sampler": [{"stage": "temperature", "t": 0.5}]},
    }  # fmt: skip


def test_generate_from_ids_on_a_model_without_tokenizer(monkeypatch, capsys):
    names = {}
    models = fake_engine.install(names, pieces=[None, None])
    for name, value in names.items():
        monkeypatch.setitem(vars(cutaway), name, value)
    assert run(capsys, "generate", "--ids", "5", "6")[:2] == (0, "100 101 \n")
    assert models[0].calls[0][1] == [5, 6]


@pytest.mark.parametrize("argv", [("generate",), ("generate", "-")])
def test_text_from_stdin(loaded, capsys, monkeypatch, argv):
    monkeypatch.setattr(sys, "stdin", io.StringIO("from a pipe"))
    assert run(capsys, *argv)[0] == 0
    assert loaded[0].calls[0][1] == "from a pipe"


def test_chat_one_message(loaded, capsys, tmp_path):
    (tmp_path / "t.jinja").write_text("{{ messages }}")
    status, out, _ = run(
        capsys, "chat", "Hi", "--system", "Be brief.", "--template", str(tmp_path / "t.jinja"), "--top-k", "3"
    )
    assert (status, out) == (0, "Paris é…\n\n")
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    assert loaded[0].calls == [("chat", messages, {"template": "{{ messages }}", "top_k": 3})]


def test_chat_conversation(loaded, capsys, monkeypatch):
    said = iter(["One", "  ", "Two"])
    monkeypatch.setattr(sys, "stdin", type("Terminal", (io.StringIO,), {"isatty": lambda self: True})())

    def answer(prompt):
        try:
            return next(said)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", answer)
    assert run(capsys, "chat")[0] == 0
    assert [len(call[1]) for call in loaded[0].calls] == [1, 3]
    assert loaded[0].calls[1][1][1] == {"role": "assistant", "content": "Paris é…\n"}


def test_chat_of_piped_lines_is_a_conversation(loaded, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("One\n\n  \nTwo\r\n"))
    status, out, err = run(capsys, "chat", "--system", "Be brief.")
    assert (status, out, err.count("[4 tokens, ")) == (0, "Paris é…\n\n" * 2, 2)
    assert loaded[0].calls[1][1] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "One"},
        {"role": "assistant", "content": "Paris é…\n"},
        {"role": "user", "content": "Two"},
    ]


def test_chat_json_of_piped_lines_is_an_object_each(loaded, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("One\nTwo"))
    _, out, _ = run(capsys, "chat", "--json")
    first, end = json.JSONDecoder().raw_decode(out)
    assert first == json.loads(out[end:]) and first["text"] == "Paris é…\n" and len(loaded[0].calls) == 2


def test_chat_of_all_of_stdin(loaded, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("One\nTwo\n"))
    assert run(capsys, "chat", "-")[0] == 0
    assert [call[1] for call in loaded[0].calls] == [[{"role": "user", "content": "One\nTwo\n"}]]


def test_chat_of_an_empty_pipe(loaded, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    status, out, err = run(capsys, "chat")
    assert (status, out) == (1, "") and err.startswith("cutaway: Nothing was piped in. ")


def test_tokenize(loaded, capsys, tmp_path):
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    status, out, _ = run(capsys, "tokenize", "a\n", "-m", str(tmp_path / "m.gguf"), "--json", "--add-special-tokens")
    assert (status, json.loads(out)) == (0, {"ids": [1, 97, 10], "tokens": ["\\x01", "a", "\\n"]})
    status, out, _ = run(capsys, "tokenize", "a[b]", "-m", str(tmp_path / "m.gguf"))
    assert out.splitlines()[0] == "a[b]"
    assert out.splitlines()[2].split() == ["0", "97", "'a'"]


def test_info(loaded, capsys):
    status, out, _ = run(capsys, "info", "some.gguf", "--isa", "avx2")
    assert status == 0
    facts = dict(map(str.strip, line.split(maxsplit=1)) for line in out.splitlines())
    assert facts == {
        "path": "some.gguf",
        "compute": "int8",
        "isa": "avx2",
        "threads": "2",
        "bytes": "weights 1.2 MiB, cache 0 bytes",
    }
    long = "/models/" + "folder/" * 40 + "m.gguf"
    assert run(capsys, "info", long)[1].splitlines()[0] == f"path     {long}"  # also where stdout is no terminal
    _, out, _ = run(capsys, "info", "some.gguf", "--tensors")
    assert "blocks.0.attn.W_Q" in out
    assert json.loads(run(capsys, "info", "some.gguf", "--json")[1])["threads"] == 2


def test_models(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("CUTAWAY_CACHE", str(tmp_path))
    status, out, err = run(capsys, "models")
    assert status == 0 and out.splitlines() == repr(cutaway.models()).splitlines()
    assert err == f"[kept in {tmp_path / 'models'}]\n"
    rows = json.loads(run(capsys, "models", "--json")[1])
    assert (rows[0]["name"], rows[0]["cached"], rows[0]["path"]) == ("smollm2-135m-instruct", False, None)


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (("generate", "x", "-m", "missing"), "cutaway: There is no model 'missing'.\n"),
        (("generate", "x", "-t", "-1"), "cutaway: temperature must be 0 (greedy) or greater, got -1. Usual values are 0.2 to 1.5.\n"),
        (("generate", "x", "--ids", "1"), "cutaway: Give a prompt or --ids, not both.\n"),
        (("chat", "x", "--template", "no.file"), "cutaway: --template: there is no file 'no.file'. --template takes the path of a file that holds the text.\n"),
        (("tokenize", "x", "-m", "nope"), "cutaway: There is no model 'nope'. Known names: smollm2-135m-instruct, gemma3-270m; or give a path to a .gguf file or to a folder with config.json and safetensors, or \"org/name\" of the Hugging Face Hub.\n"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_and_status_1(loaded, capsys, argv, sentence):
    assert run(capsys, *argv) == (1, "", sentence)


GENERATE = "`cutaway generate --help` shows an example.\n"


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (("generat",), "There is no command 'generat'. Did you mean generate? `cutaway` lists the commands.\n"),
        (("run", "x"), f"There is no command 'run'. The first word is one of {', '.join(cli._COMMANDS)}. `cutaway` lists the commands.\n"),
        (("-m", "x.gguf", "chat", "x"), "The command comes first: cutaway chat -m … `cutaway` lists the commands.\n"),
        (("chat", "-hello"), "-h takes no value; a text that begins with - comes after --. `cutaway chat --help` shows an example.\n"),
        (("--verbos",), "cutaway has no option --verbos. Did you mean --version? `cutaway` lists the commands.\n"),
        (("generate", "x", "-t", "hot"), f"-t/--temperature must be a number, got 'hot'. {GENERATE}"),
        (("generate", "x", "-t", "0,7"), f"-t/--temperature must be a number, got '0,7'; it is written 0.7. {GENERATE}"),
        (("generate", "x", "-n", "2.5"), f"-n/--max-new-tokens must be a whole number, got '2.5'. {GENERATE}"),
        (("generate", "x", "-n"), f"-n/--max-new-tokens needs a value. {GENERATE}"),
        (("generate", "x", "--json=1"), f"--json takes no value, got '1'. {GENERATE}"),
        (("generate", "x", "--top", "1"), f"--top is short for several: --top-k, --top-p. {GENERATE}"),
        (("generate", "x", "--max_new_tokens=3"), f"generate has no option --max_new_tokens=3. Did you mean --max-new-tokens? {GENERATE}"),
        (("generate", "x", "--wibble"), f"generate has no option --wibble. A text that begins with - comes after --. {GENERATE}"),
        (("generate", "x", "--compute", "int4"), f"--compute must be float32 or int8, got 'int4'. Did you mean int8? {GENERATE}"),
        (("generate", "The", "capital", "of"), f'generate takes one prompt; put it in quotes: "… capital of". {GENERATE}'),
        (("info", "a", "b"), "info has no use for 'b'. `cutaway info --help` shows an example.\n"),
        (("compare",), "MODEL is missing. `cutaway compare --help` shows an example.\n"),
        (("completion", "fish"), "shell must be bash or zsh, got 'fish'. `cutaway completion --help` shows an example.\n"),
    ],
)  # fmt: skip
def test_a_command_line_that_cannot_be_read_is_one_sentence_and_status_2(capsys, argv, sentence):
    assert run(capsys, *argv) == (2, "", f"cutaway: {sentence}")


@pytest.mark.parametrize("argv", [(), ("--help",), ("help",)])
def test_bare_cutaway_lists_the_commands_on_a_line_each(capsys, argv):
    status, out, err = run(capsys, *argv)
    assert (status, err) == (0, "")
    lines = [line.strip() for line in out.splitlines()]
    for name, (_, summary, _, _) in cli._COMMANDS.items():
        assert f"{name:<10}  {summary}" in lines
    assert 'example: cutaway generate "The capital of France is" -n 20 -t 0' in lines
    assert max(map(len, out.splitlines()[:-1])) <= 80


def test_help_of_a_command(capsys):
    assert run(capsys, "help", "chat") == run(capsys, "chat", "--help")


def test_no_text_on_a_terminal(loaded, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", type("Terminal", (io.StringIO,), {"isatty": lambda self: True})())
    assert run(capsys, "generate") == (1, "", "cutaway: Give a prompt as an argument, or pipe it in.\n")


@pytest.mark.parametrize("name", list(cli._COMMANDS))
def test_every_help_has_an_example_that_parses(capsys, name):
    status, out, _ = run(capsys, name, "--help")
    assert status == 0
    example = " ".join(out.split("example: ")[1].split())
    import shlex

    words = shlex.split(example)
    assert words[:2] == ["cutaway", name]
    cli.parser().parse_args(words[1:])


def process(code, *argv):
    program = f"import cutaway, fake_engine, sys; fake_engine.install(vars(cutaway), {code}); from cutaway.cli import main; sys.exit(main(sys.argv[1:]))"
    paths = [str(Path(cutaway.__file__).parents[1]), str(HERE), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"}
    return subprocess.Popen(
        [sys.executable, "-c", program, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("flag", [(), ("--json",)])
def test_ctrl_c_keeps_the_text_so_far(flag):
    child = process("pieces=['Pa', 'ris', *['!'] * 1000], delay=0.2", "generate", "x", *flag)
    if flag:
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(2.5)
    else:
        assert child.stdout.read(5) == b"Paris"
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert b"Traceback" not in err
    if flag:
        result = json.loads(out)
        assert result["finish_reason"] == "interrupted" and result["text"].startswith("Paris")
    else:
        assert b", interrupted, " in err


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_a_closed_pipe_is_no_traceback():
    with process("pieces=['x' * 100_000] * 50", "generate", "x") as child:
        child.stdout.read(10)
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(30) == 141


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_during_the_imports_is_quiet(tmp_path):
    """The first module that the command imports after its own entry says so, then takes its time."""
    (tmp_path / "numpy.py").write_text("import time; print('importing', flush=True); time.sleep(20)")
    path = os.pathsep.join([str(tmp_path), str(Path(cutaway.__file__).parents[1])])
    with subprocess.Popen(
        [sys.executable, "-m", "cutaway", "generate", "x"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path},
    ) as child:  # fmt: skip
        assert child.stdout.readline() == b"importing\n"
        child.send_signal(signal.SIGINT)
        assert (child.wait(10), child.stderr.read()) == (130, b"")


def test_the_entry_imports_almost_nothing():
    program = (
        "import sys; before = set(sys.modules); import cutaway.__main__; new = set(sys.modules) - before; "
        "assert 'numpy' not in new and 'argparse' not in new and 'cutaway.cli' not in new, new"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(cutaway.__file__).parents[1])}
    subprocess.run([sys.executable, "-S", "-c", program], check=True, env=environment)


def test_python_m_cutaway():
    paths = str(Path(cutaway.__file__).parents[1])
    out = subprocess.run(
        [sys.executable, "-m", "cutaway", "--version"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert out.stdout == f"cutaway {cutaway.__version__}\n"


# ---- verify


@pytest.fixture
def stored(monkeypatch, tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF weights")
    record = {
        "sha256": hashlib.sha256(b"GGUF weights").hexdigest(),
        "entries": [
            {"prompt_ids": [5, 6], "compute": "int8", "fingerprint": fake_engine.fingerprint_of([5, 6])},
            {"prompt_ids": [7], "compute": "float32", "fingerprint": fake_engine.fingerprint_of([7])},
        ],
    }
    monkeypatch.setattr(verify, "stored", lambda: {"tiny": record})
    return path, record


def test_verify_same_bits(loaded, stored, capsys):
    status, out, err = run(capsys, "verify", str(stored[0]), "--every-isa", "--threads", "3")
    assert (status, err) == (0, "[all 4 fingerprints are the same: this machine computes the stored bits]\n")
    assert out.splitlines() == [
        f"tiny {compute} {isa} {n} {fake_engine.fingerprint_of(ids)} same"
        for isa in ("scalar", "avx2")
        for compute, n, ids in (("int8", "2 tokens", [5, 6]), ("float32", "1 token", [7]))
    ]
    assert len(loaded) == 4 and loaded[0].engine == {"compute": "int8", "isa": "scalar", "threads": 3}


def test_verify_other_bits(loaded, stored, capsys):
    stored[1]["entries"][0]["fingerprint"] = "0" * 32
    status, out, err = run(capsys, "verify", str(stored[0]))
    assert status == 1
    assert "DIFFERS, expected " + "0" * 32 in out and out.count("same") == 1
    assert err.startswith("cutaway: 1 of 2 fingerprints differ")
    status, out, _ = run(capsys, "verify", str(stored[0]), "--json")
    assert status == 1 and [check["same"] for check in json.loads(out)] == [False, True]


def test_verify_unknown_files(loaded, stored, capsys, small_model):
    stored[0].write_bytes(small_model("llama").path.read_bytes())
    assert "no stored fingerprints for a file with sha256" in run(capsys, "verify", str(stored[0]))[2]
    assert "no stored fingerprints for 'gemma3-270m'. Stored: tiny." in run(capsys, "verify", "gemma3-270m")[2]


def test_fingerprint_is_of_ids_bits_and_nothing_else():
    class Rows:
        rows = np.asarray([[1.0, np.nan]], np.float32)

        def __call__(self, ids):
            return self.rows

    model = Rows()
    first = verify.fingerprint(model, [3])
    body = np.asarray([3], "<i4").tobytes() + np.asarray([0x3F800000, 0x7FC00000], "<u4").tobytes()
    assert first == hashlib.blake2b(body, digest_size=16).hexdigest()
    model.rows = np.asarray([0x3F800000, 0xFFC00001], np.uint32).view(np.float32).reshape(1, 2)  # another NaN
    assert verify.fingerprint(model, [3]) == first
    model.rows = np.asarray([[-0.0, 1.0]], np.float32)
    other = verify.fingerprint(model, [3])
    model.rows = np.asarray([[0.0, 1.0]], np.float32)
    assert verify.fingerprint(model, [3]) != other
    assert verify.fingerprint(model, [4]) != verify.fingerprint(model, [3])


def test_the_shipped_fingerprints_have_the_form_that_verify_reads():
    for name, record in verify.stored().items():
        assert len(record["sha256"]) == 64, name
        for entry in record["entries"]:
            assert set(entry) >= {"prompt_ids", "compute", "fingerprint"}
            assert len(entry["fingerprint"]) == 32 and entry["compute"] in ("int8", "float32")


# ---- pictures


def plain(renderable):
    from rich.console import Console

    console = Console(file=io.StringIO(), width=100, color_system=None)
    console.print(renderable)
    return console.file.getvalue()


def test_bars():
    logits = np.log(np.asarray([0.5, 0.25, 0.25 - 1e-9, 1e-9], np.float32))
    ids = [0, 1, 2]
    lines = plain(terminal.next_tokens(logits, ids, [" a", b"\xff", "\n"], width=8)).splitlines()
    assert [line.split() for line in lines] == [
        ["'", "a'", "50.0", "%", "████████"], ["'\\\\xff'", "25.0", "%", "████"], ["'\\\\n'", "25.0", "%", "████"],
    ]  # fmt: skip
    assert [terminal.bar(share, 2) for share in (0, 1 / 16, 0.5, 0.6, 1, 7)] == ["", "▏", "█", "█▎", "██", "██"]


@pytest.mark.parametrize("row", [[np.nan, 1.0], [-np.inf, -np.inf], [[1.0, 2.0]]])
def test_bars_of_no_distribution(row):
    with pytest.raises(cutaway.ArgumentError, match="finite logits"):
        terminal.next_tokens(np.asarray(row, np.float32), [0], ["a"])


def test_attention_picture():
    pattern = np.asarray([[1.0, 0.0, 0.0], [0.2, 0.8, 0.0], [0.0, 0.02, 0.98]], np.float32)
    lines = plain(terminal.attention(pattern, ["The", " long" * 5, "\n"])).splitlines()
    assert lines[0].split() == ["0", "1", "2"]
    assert lines[1] == f"{'The':>14}  0 ██"
    assert lines[2].startswith(" long long lo…  1 ") and lines[2].endswith("░░██")
    assert lines[3] == " " * 12 + "\\n  2   " + "  ██"
    with pytest.raises(cutaway.ArgumentError, match=r"\[3, 3\], expected .* key_pos = 2"):
        terminal.attention(pattern, ["a", "b"])


def test_commands_read_every_sampling_option():
    """The options of `generate --help` and the settings that reach the model are the same list."""
    args = vars(cli.parser().parse_args(["generate", "x"]))
    assert set(commands._SAMPLING) | set(commands._ENGINE) == set(args) - {
        "prompt", "ids", "model", "json", "run", "parser",
    }  # fmt: skip
