"""Models and tokenizers of the Hugging Face Hub: what a name means, what is fetched of it, and what it becomes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cutaway as ca
import hub_repositories
import numpy as np
import pytest
from command_line import run
from hub_repositories import CONFIG, TEXT, TEXT_FILES, TOKENIZER, check_text, huggingface_hub, logits, refused
from stub_hub import TOKEN, StubHub
from toy_vocabulary import MERGES

home, hub, made = hub_repositories.home, hub_repositories.hub, hub_repositories.made  # fixtures


# ---- what is fetched, and what it becomes


def test_safetensors(hub: StubHub, home: Path, tmp_path: Path, made: dict[str, dict[str, bytes]]) -> None:
    model = ca.load("org/single")
    sha = hub.repositories["org/single"].sha
    assert model.info()["path"] == str(home / "hub" / "models--org--single" / "snapshots" / sha)
    assert hub.fetched() == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert {token for _, _, token in hub.asked} == {None}
    check_text(model)
    assert model.tokenizer.chat_template == CONFIG["chat_template"]
    hub.asked.clear()
    assert np.array_equal(logits(ca.load("org/single")), logits(model)) and hub.fetched() == []
    write_to(tmp_path / "folder", made["org/single"])
    assert logits(ca.load(tmp_path / "folder")) == logits(model)


def write_to(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def test_shards_are_those_of_the_index(hub: StubHub) -> None:
    model = ca.load("org/shards")
    assert logits(model) == logits(ca.load("org/single"))
    fetched = [f for f in hub.fetched() if f.endswith("safetensors")]
    assert fetched == [
        "model-00001-of-00003.safetensors",
        "model-00002-of-00003.safetensors",
        "model-00003-of-00003.safetensors",
        "model.safetensors",
    ]
    check_text(model)


def test_a_tokenizer_comes_without_weights(hub: StubHub, made: dict[str, dict[str, bytes]]) -> None:
    tok = ca.tokenizer("org/single")
    assert hub.fetched() == ["generation_config.json", "tokenizer.json", "tokenizer_config.json"]
    assert [tok.piece(id) for id in tok.encode("the llor")] == ["t", "he", "Ġ", "llo", "r"]
    assert tok.decode(tok.encode(TEXT)) == TEXT and tok.stop_ids == [2] and tok.chat_template == CONFIG["chat_template"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (("vocab.json", "merges.txt", "tokenizer.model"), ["merges.txt", "vocab.json"]),
        (("vocab.json", "vocab.txt"), ["vocab.txt"]),
        (("tokenizer.json", "vocab.json", "merges.txt", "special_tokens_map.json", "chat_template.jinja"),
         ["chat_template.jinja", "special_tokens_map.json", "tokenizer.json"]),
    ],
)  # fmt: skip
def test_which_files_are_a_tokenizer(files: tuple[str, ...], expected: list[str], hub: StubHub) -> None:
    vocabulary = TOKENIZER["model"]["vocab"]
    content = {
        **TEXT_FILES,
        "vocab.json": json.dumps(vocabulary).encode(),
        "merges.txt": "\n".join(["#version: 0.2", *MERGES]).encode(),
        "vocab.txt": b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nother\n##s\n",
        "tokenizer.model": b"not looked at",
        "special_tokens_map.json": b"{}",
        "chat_template.jinja": b"J",
    }
    hub.add("org/tok", {name: content[name] for name in files})
    assert len(ca.tokenizer("org/tok")) in (len(vocabulary), 8)
    assert hub.fetched() == expected


def test_a_vocabulary_without_a_folder_of_its_kind(hub: StubHub, shared_path: Callable[[str], Path]) -> None:
    ranks = shared_path("conformance/tokenizers/r50k_base.tiktoken")
    hub.add("org/ranks", {"some.tiktoken": ranks.read_bytes(), "README.md": b""})
    assert len(ca.tokenizer("org/ranks")) == len(ca.tokenizer("org/ranks/some.tiktoken")) == 50_257


def test_one_gguf_file(hub: StubHub) -> None:
    model = ca.load("org/one-GGUF")
    assert model.info()["path"].endswith("/model-Q4_0.gguf") and hub.fetched() == ["model-Q4_0.gguf"]
    assert len(model.tokenizer) == 273


@pytest.mark.parametrize(
    "name",
    ["org/many-GGUF:q4_k_m", "org/many-GGUF/m-Q4_K_M.gguf", "hf.co/org/many-GGUF:Q4_K_M", "org/many-GGUF:Q4_K_M@main"],
)
def test_a_gguf_file_is_chosen(name: str, hub: StubHub) -> None:
    assert ca.load(name).info()["path"].endswith("/m-Q4_K_M.gguf")
    assert hub.fetched() == ["m-Q4_K_M.gguf"]
    assert len(ca.tokenizer(name)) == 273


def test_parts_come_together(hub: StubHub, made: dict[str, dict[str, bytes]]) -> None:
    parts = [f for f in made["org/many-GGUF"] if f.startswith("Q8_0/")]
    assert len(parts) > 2
    model = ca.load("org/many-GGUF:Q8_0")
    assert hub.fetched() == parts and model.info()["parts"] == len(parts)
    assert logits(model) == logits(ca.load("org/many-GGUF:XL"))
    assert ca.load(f"org/many-GGUF/{parts[1]}").info()["parts"] == len(parts)
    assert ca.load("org/many-GGUF/Q8_0").info()["parts"] == len(parts)
    del hub.repositories["org/many-GGUF"].files[parts[0]]
    assert refused(ca.load, "org/many-GGUF:Q8_0") == f"'org/many-GGUF' lacks {parts[0]}."


def test_a_folder_of_a_repository(hub: StubHub, made: dict[str, dict[str, bytes]]) -> None:
    hub.add("org/deep", {f"a/b/{name}": data for name, data in made["org/shards"].items()} | {"config.json": b"{}"})
    model = ca.load("org/deep/a/b")
    assert logits(model) == logits(ca.load("org/shards"))
    assert len(ca.tokenizer("org/deep/a/b")) == 273


def test_revisions(hub: StubHub, home: Path) -> None:
    old, pull = "a" * 40, "b" * 40
    hub.add("org/tok", TEXT_FILES, revisions={"v1": old, "refs/pr/3": pull})
    for name, sha in (("org/tok@v1", old), ("org/tok@refs/pr/3", pull), (f"org/tok@{old}", old)):
        assert ca.tokenizer(name).info()["path"] == str(
            home / "hub" / "models--org--tok" / "snapshots" / sha / "tokenizer.json"
        )
    assert refused(ca.tokenizer, "org/tok@v2").startswith(
        "'org/tok' has no revision 'v2'; expected a branch, a tag or a commit. The hub said: 404"
    )
    assert "The revision is written last: org/name/file.gguf@main." in refused(
        ca.tokenizer, "org/tok@v1/tokenizer.json"
    )


# ---- what wins over the hub


def test_a_path_wins(hub: StubHub, made: dict[str, dict[str, bytes]]) -> None:
    write_to(Path("org/single"), made["org/single"] | {"chat_template.jinja": b"mine"})
    assert ca.load("org/single").tokenizer.chat_template == "mine"
    assert ca.tokenizer("org/single").chat_template == ca.tokenizer(Path("org/single")).chat_template == "mine"
    here = Path.cwd()
    for missing in (Path("org/shards"), "./org/shards", "org/single/model.gguf", "org/x.gguf"):
        assert refused(ca.load, missing).startswith(f"There is no file or folder {here / missing}.")
    assert hub.asked == []


def test_a_name_of_the_catalogue_wins(
    hub: StubHub, monkeypatch: pytest.MonkeyPatch, made: dict[str, dict[str, bytes]]
) -> None:
    from cutaway import catalogue

    monkeypatch.setattr(catalogue, "cached_path", lambda entry: Path("kept.gguf").absolute())
    Path("kept.gguf").write_bytes(made["org/one-GGUF"]["model-Q4_0.gguf"])
    assert len(ca.tokenizer("gemma3-270m")) == len(ca.load("gemma3-270m").tokenizer) == 273
    assert hub.asked == []


def test_neither(hub: StubHub) -> None:
    assert refused(ca.load, "nothing").endswith(
        'or to a folder with config.json and safetensors, or "org/name" of the Hugging Face Hub.'
    )
    assert refused(ca.tokenizer, "nothing").endswith(
        'the path of a file or folder, or "org/name" of the Hugging Face Hub'
    )
    assert refused(ca.load, "https://huggingface.co/org/single/tree/main").endswith(
        'its name on the hub is "org/single".'
    )
    assert (
        refused(ca.Tokenizer.from_file, "org/single")
        == "There is no file org/single. A name, of a model or of the hub, is for ca.tokenizer(name)."
    )
    for name in ("org/a--b", "org/a..b"):
        assert refused(ca.load, name).startswith(f"'{name}' is no name that a repository can have: ")
    assert hub.asked == []


def test_without_the_package(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for call in (ca.load, ca.tokenizer):
        assert refused(call, "org/single") == (
            f"There is no file or folder {Path.cwd()}/org/single. {Path.cwd()}/org does not exist either; the working directory is {Path.cwd()}. "
            "If 'org/single' is a repository of the Hugging Face Hub, the package huggingface_hub is needed, which is "
            'not installed here: pip install "cutaway[hub]"'
        )
    monkeypatch.setitem(sys.modules, "huggingface_hub", huggingface_hub)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", None)
    assert "cannot be used: import of huggingface_hub.errors halted" in refused(ca.load, "org/single")


# ---- the variables, as a process of its own reads them; the command line


def outcome(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    source = str(Path(ca.__file__).parents[1])
    environment = (
        kept
        | {"PYTHONPATH": os.pathsep.join([source, kept.get("PYTHONPATH", "")]), "NO_PROXY": "127.0.0.1,localhost"}
        | variables
    )
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=environment)


def test_the_variables(hub: StubHub, tmp_path: Path) -> None:
    hub.add("org/gated", TEXT_FILES, gated=True)
    home, code = tmp_path / "another home", "import cutaway as ca; print(ca.tokenizer('org/gated').info()['path'])"
    done = outcome(code, HF_HOME=str(home), HF_ENDPOINT=hub.address, HF_TOKEN=TOKEN)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(str(home / "hub" / "models--org--gated"))
    again = outcome(code, HF_HOME=str(home), HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    assert (again.returncode, again.stdout, again.stderr) == (0, done.stdout, "")
    missing = outcome(code, HF_HOME=str(tmp_path / "empty"), HF_ENDPOINT=hub.address, HF_HUB_OFFLINE="1")
    assert missing.returncode == 1 and "HF_HUB_OFFLINE is set, so 'org/gated' is taken from the cache" in missing.stderr


def test_the_command_line(hub: StubHub, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "tokenize", "the", "-m", "org/single", "--json")
    assert status == 0 and json.loads(out)["ids"] == ca.tokenizer("org/single").encode("the").tolist()
    assert "model.safetensors" not in hub.fetched()
    status, out, _ = run(capsys, "info", "org/one-GGUF", "--json")
    assert status == 0 and json.loads(out)["path"].endswith("model-Q4_0.gguf")
    status, out, _ = run(capsys, "generate", "the", "-m", "org/single", "-n", "2", "-t", "0", "--json")
    assert status == 0 and len(json.loads(out)["ids"]) <= 2
    status, out, err = run(capsys, "generate", "x", "-m", "org/many-GGUF")
    assert (status, out) == (1, "") and err.startswith("cutaway: 'org/many-GGUF' has 4 GGUF models: ")


def test_comparing_takes_names_of_the_hub(hub: StubHub) -> None:
    rows = ca.compare(["org/single", "org/many-GGUF:Q4_K_M"], ["the"], n=1, max_new_tokens=1, progress=False)
    assert {row.model for row in rows} == {"single", "many-GGUF:Q4_K_M"}


def test_nothing_is_imported_before_a_name_is_used() -> None:
    done = outcome("import sys, cutaway as ca; ca.load, ca.tokenizer; print('huggingface_hub' in sys.modules)")
    assert (done.returncode, done.stdout) == (0, "False\n")


def test_without_a_bar(hub: StubHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    ca.tokenizer("org/single", progress=False)
    assert capsys.readouterr().err == ""
