"""Models and tokenizers of the Hugging Face Hub: from a cache folder without a network, and from a hub on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cutaway as ca
import numpy as np
import pytest
from command_line import run
from make_models import make_model
from stub_hub import TOKEN, StubHub, files_of, serving, write_cache
from test_gguf_parts import split
from toy_vocabulary import MERGES, byte_letters

huggingface_hub = pytest.importorskip("huggingface_hub", reason="the extra [hub] is not installed")
from huggingface_hub import constants  # noqa: E402

IDS = [3, 272, 41, 7, 100]
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEXT = "the other <|im_end|> of it"
TOKENIZER = {
    "added_tokens": [{"id": i, "content": piece, "special": True} for i, piece in enumerate(SPECIALS)],
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
    "decoder": {"type": "ByteLevel"},
    "model": {
        "type": "BPE",
        "vocab": {
            piece: i for i, piece in enumerate([*SPECIALS, *byte_letters(), *(m.replace(" ", "") for m in MERGES)])
        },
        "merges": MERGES,
    },
}
CONFIG = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "chat_template": "{{ messages[0].content }}"}
TEXT_FILES = {
    "tokenizer.json": json.dumps(TOKENIZER).encode(),
    "tokenizer_config.json": json.dumps(CONFIG).encode(),
    "generation_config.json": b'{"eos_token_id": [2]}',
}
OTHER = {"README.md": b"# A model", "pytorch_model.bin": b"PK", "onnx/model.onnx": b"x"}  # what nobody needs here


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """Repositories of random models: with safetensors, in shards, as GGUF, as GGUF in parts."""
    root = tmp_path_factory.mktemp("repositories")
    for name, shards in (("single", 1), ("shards", 3)):
        make_model(root / name, "llama", "F32", 5, shards=shards)
    make_model(root / "model.gguf", "llama", "F32", 5)
    whole = (root / "model.gguf").read_bytes()
    parts = {f"Q8_0/{f.name}": f.read_bytes() for f in split(root / "parts", root / "model.gguf")}
    return {
        "org/single": files_of(root / "single") | TEXT_FILES | OTHER,
        "org/shards": files_of(root / "shards") | TEXT_FILES | OTHER | {"consolidated.safetensors": b"the same again"},
        "org/one-GGUF": {"model-Q4_0.gguf": whole, "mmproj-F16.gguf": b"", "config.json": b"{}"},
        "org/many-GGUF": {"m-Q4_K_M.gguf": whole, "m-Q4_K_S.gguf": b"", "m-UD-Q2_K_XL.gguf": whole, **parts},
    }  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty HF_HOME, no token, and a hub that cannot be reached."""
    folder = tmp_path / "home"
    for name, value in {
        "ENDPOINT": "http://127.0.0.1:9",
        "HUGGINGFACE_CO_URL_TEMPLATE": "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}",
        "HF_HOME": str(folder),
        "HF_HUB_CACHE": str(folder / "hub"),
        "HF_TOKEN_PATH": str(folder / "token"),
        "HF_HUB_OFFLINE": False,
    }.items():
        monkeypatch.setattr(constants, name, value)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return folder


@pytest.fixture
def hub(home: Path, monkeypatch: pytest.MonkeyPatch, made: dict[str, dict[str, bytes]]) -> Iterator[StubHub]:
    with serving() as stub:
        for name, files in made.items():
            stub.add(name, files)
        monkeypatch.setattr(constants, "ENDPOINT", stub.address)
        address = f"{stub.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address)
        yield stub


@pytest.fixture
def offline(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return home


def refused(call: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(ca.Error) as error:
        call(*arguments)
    return str(error.value)


def logits(model: ca.Model) -> list[float]:
    return model(IDS)[-1].tolist()


def check_text(model: ca.Model) -> None:
    tok = model.tokenizer
    assert [tok.piece(id) for id in tok.encode(TEXT, parse_special=True)] == [
        "t",
        "he",
        "Ġ",
        "o",
        "t",
        "he",
        "r",
        "Ġ",
        "<|im_end|>",
        "Ġ",
        "o",
        "f",
        "Ġ",
        "it",
    ]
    assert model.stop_ids == [2]
    assert isinstance(model.generate("the", max_new_tokens=2, seed=1).text, str)


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


# ---- what a repository does not have


def test_several_gguf_models(hub: StubHub, made: dict[str, dict[str, bytes]]) -> None:
    first = next(f for f in made["org/many-GGUF"] if f.startswith("Q8_0/"))
    assert refused(ca.load, "org/many-GGUF") == (
        f"'org/many-GGUF' has 4 GGUF models: {first}, m-Q4_K_M.gguf, m-Q4_K_S.gguf, m-UD-Q2_K_XL.gguf. Say which: "
        f'ca.load("org/many-GGUF/{first}") or ca.load("org/many-GGUF:Q8_0").'
    )
    assert "has no GGUF model with 'Q4_K' in its name; it has Q8_0/" in refused(ca.load, "org/many-GGUF:Q4_K")
    assert "has no GGUF model with 'Q4_K_M' in its name; it has no GGUF files." in refused(ca.load, "org/single:Q4_K_M")
    assert (
        "no tokenizer files: tokenizer.json, vocab.json with merges.txt, tokenizer.model, vocab.txt. GGUF files hold theirs: ca.tokenizer("
        in refused(ca.tokenizer, "org/many-GGUF")
    )
    assert hub.fetched() == []


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (OTHER, "has no model files: config.json with safetensors, or GGUF. It has PyTorch weights alone, which are pickled programs: convert them to safetensors or GGUF."),
        ({"adapter_model.safetensors": b""}, "It has safetensors, but no config.json; an adapter is no model by itself."),
        ({"README.md": b"", "data/x.txt": b""}, "has no model files: config.json with safetensors, or GGUF. It has README.md."),
        ({}, "It has no files."),
        ({"config.json": b"{}", "a.safetensors": b"", "b.safetensors": b""}, "has a.safetensors, b.safetensors, and no model.safetensors.index.json that says which belong together."),
        ({"config.json": b"{}", "model-00001-of-00002.safetensors": b""}, "and no model.safetensors.index.json"),
        ({"config.json": b"{}", "model.safetensors.index.json": b'{"weight_map": {"w": "model-00001-of-00001.safetensors"}}', "x.safetensors": b""}, "'org/bad' lacks model-00001-of-00001.safetensors."),
        ({"config.json": b"{}", "model.safetensors.index.json": b'["x"]', "x.safetensors": b""}, "model.safetensors.index.json"),
        ({"config.json": b"{}", "model.safetensors.index.json": b'{"weight_map": {"w": "../../../blobs/x.safetensors"}}', "x.safetensors": b""}, "'org/bad' lacks ../../../blobs/x.safetensors."),
    ],
)  # fmt: skip
def test_a_repository_without_a_model(files: dict[str, bytes], said: str, hub: StubHub) -> None:
    hub.add("org/bad", files)
    assert said in refused(ca.load, "org/bad")


def test_a_file_that_is_not_there(hub: StubHub) -> None:
    assert (
        refused(ca.load, "org/one-GGUF/model-Q4_1.gguf")
        == "'org/one-GGUF' has no file or folder 'model-Q4_1.gguf'. Did you mean model-Q4_0.gguf?"
    )
    assert refused(ca.tokenizer, "org/one-GGUF/zzzzz").endswith(
        "has no file or folder 'zzzzz'. It has config.json, mmproj-F16.gguf, model-Q4_0.gguf."
    )
    assert "has no tokenizer files" in refused(ca.tokenizer, "org/one-GGUF")
    hub.add("org/none", {"README.md": b""})
    assert refused(ca.tokenizer, "org/none").endswith("tokenizer.model, vocab.txt. It has README.md.")


def test_names_that_lead_out_of_the_folder(hub: StubHub, tmp_path: Path) -> None:
    hub.add("org/bad", {"../../../../../x-Q4_0.gguf": b"", "/etc/x-Q4_0.gguf": b""})
    assert "has no model files: config.json with safetensors, or GGUF. It has no files." in refused(ca.load, "org/bad")


# ---- no token, no network, half a file


def test_repositories_that_do_not_open(
    hub: StubHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.add("org/private", TEXT_FILES, private=True)
    hub.add("org/gated", TEXT_FILES, gated=True)
    with pytest.raises(
        ca.ArgumentError,
        match=r"There is no repository 'org/missing' at http://127.*, or it is private. No token was sent: set HF_TOKEN.*There is no file or folder .*The hub said: 401",
    ):
        ca.load("org/missing")
    assert "There is no repository 'org/private' at" in refused(ca.tokenizer, "org/private")
    said = refused(ca.tokenizer, "org/gated")
    assert said.startswith(
        f"'org/gated' is gated: its terms are accepted at {hub.address}/org/gated, by an account whose token is in HF_TOKEN. No token was sent"
    )
    assert "Access to this model is restricted" in said

    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody_else")
    said = refused(ca.tokenizer, "org/single")
    assert (
        f"{hub.address} refused 'org/single', status 401. The token that was sent (of HF_TOKEN, or of `hf auth login`) does not open it."
        in said
    )
    assert "Invalid credentials in Authorization header" in said

    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.asked.clear()
    assert len(ca.tokenizer("org/private")) == len(ca.tokenizer("org/gated")) == 273
    assert {token for _, _, token in hub.asked} == {TOKEN}
    assert "or it is private. The token that was sent" in refused(ca.load, "org/missing")
    assert capsys.readouterr().err == ""


def test_no_network(
    home: Path, hub: StubHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tok = ca.tokenizer("org/single")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    capsys.readouterr()
    assert ca.tokenizer("org/single").encode(TEXT).tolist() == tok.encode(TEXT).tolist()
    folder, said = Path(tok.info()["path"]).parent, capsys.readouterr().err
    assert said.startswith("'org/single' could not be fetched from http://127.0.0.1:9: ") and "refused" in said
    assert said.endswith(f"The files of {folder} are taken.\n")
    said = refused(ca.load, "org/single")
    assert (
        f"It has generation_config.json, tokenizer.json, tokenizer_config.json. That is what {folder} holds. 'org/single' could not be fetched"
        in said
    )
    assert refused(ca.load, "org/shards").startswith("'org/shards' could not be fetched from http://127.0.0.1:9: ")


def test_a_hub_that_is_down(hub: StubHub) -> None:
    hub.faults["down"] = "503"
    assert f"{hub.address} did not give 'org/single', status 503: " in refused(ca.load, "org/single")


def test_half_a_file_is_not_taken(hub: StubHub, home: Path) -> None:
    hub.faults["model-Q4_0.gguf"] = "short"
    said = refused(ca.load, "org/one-GGUF")
    assert said.startswith(
        f"'org/one-GGUF' could not be fetched from {hub.address}: Consistency check failed: file should be of size"
    )
    assert "force_download" not in said
    assert not [f for f in home.rglob("*.gguf") if "snapshots" in f.parts]
    hub.faults.clear()
    assert len(ca.load("org/one-GGUF").tokenizer) == 273


def test_a_connection_that_breaks_is_taken_up_again(hub: StubHub, made: dict[str, dict[str, bytes]]) -> None:
    hub.faults["model-Q4_0.gguf"] = "cut"
    path = Path(ca.load("org/one-GGUF").info()["path"])
    assert path.read_bytes() == made["org/one-GGUF"]["model-Q4_0.gguf"]


# ---- a cache folder, HF_HUB_OFFLINE


def test_the_cache_alone(offline: Path, made: dict[str, dict[str, bytes]]) -> None:
    for name in ("org/single", "org/shards", "org/one-GGUF"):
        write_cache(offline, name, made[name])
    folder = write_cache(offline, "org/many-GGUF", made["org/many-GGUF"], "v2")
    model = ca.load("org/single")
    check_text(model)
    assert logits(model) == logits(ca.load("org/shards"))
    assert len(ca.tokenizer("org/single")) == 273
    assert ca.load("org/one-GGUF").info()["path"].endswith("model-Q4_0.gguf")
    assert ca.load("org/many-GGUF:Q8_0@v2").info()["parts"] > 2
    assert ca.load(f"org/many-GGUF:XL@{folder.name}").info()["path"] == str(folder / "m-UD-Q2_K_XL.gguf")


def test_a_cache_that_lacks_something(
    offline: Path, made: dict[str, dict[str, bytes]], capsys: pytest.CaptureFixture[str]
) -> None:
    why = f"HF_HUB_OFFLINE is set, so {{}} is taken from the cache {offline / 'hub'} alone; what is not there can be fetched when it is unset."
    assert refused(ca.load, "org/single") == why.format("'org/single'")
    assert refused(ca.tokenizer, "org/single@v1") == why.format("'org/single' at 'v1'")
    shards = made["org/shards"]
    part = write_cache(offline, "org/shards", {name: shards[name] for name in shards if "00002-of" not in name})
    assert (
        refused(ca.load, "org/shards")
        == f"'org/shards' lacks model-00002-of-00003.safetensors. That is what {part} holds. {why.format(repr('org/shards'))}"
    )
    assert len(ca.tokenizer("org/shards")) == 273
    some = write_cache(offline, "org/many-GGUF", {"m-Q4_K_M.gguf": made["org/many-GGUF"]["m-Q4_K_M.gguf"]})
    assert len(ca.load("org/many-GGUF").tokenizer) == 273
    assert refused(ca.load, "org/many-GGUF:Q8_0").endswith(
        f"it has m-Q4_K_M.gguf. That is what {some} holds. {why.format(repr('org/many-GGUF'))}"
    )
    assert capsys.readouterr().err == ""


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
