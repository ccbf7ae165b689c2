"""The Hugging Face Hub where something is missing: files, a token, the network; and its cache folder by itself."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from pathlib import Path

import cutaway as ca
import hub_repositories
import pytest
from hub_repositories import OTHER, TEXT, TEXT_FILES, check_text, constants, huggingface_hub, logits, refused
from stub_hub import TOKEN, StubHub, write_cache

home, hub, made, offline = (
    hub_repositories.home,
    hub_repositories.hub,
    hub_repositories.made,
    hub_repositories.offline,
)  # fixtures


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
    said = (
        "model.safetensors of 'org/single' at 'main' is no model by itself, as a GGUF file is: give 'org/single@main'."
    )
    assert refused(ca.load, "org/single/model.safetensors@main") == said
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
        f"{hub.address} refused 'org/single'. The token that was sent (of HF_TOKEN, or of `hf auth login`) does not open it."
        in said
    )
    assert "Invalid credentials in Authorization header" in said

    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.asked.clear()
    assert len(ca.tokenizer("org/private")) == len(ca.tokenizer("org/gated")) == 273
    assert {token for _, _, token in hub.asked} == {TOKEN}
    hub.repositories["org/one-GGUF"].private = True
    ca.load("org/one-GGUF")
    assert {token for _, path, token in hub.asked if path.startswith("/large/")} == {None}  # another host
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
    assert (
        refused(ca.load, "org/single")
        == f"'org/single' could not be fetched from {hub.address}: 503 Service Unavailable."
    )


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


def test_a_connection_that_breaks(hub: StubHub, made: dict[str, dict[str, bytes]]) -> None:
    """huggingface_hub 2 takes it up again, those before it raise; the next call has the file whole in either case."""
    hub.faults["model-Q4_0.gguf"] = "cut"
    with contextlib.suppress(ca.Error):
        ca.load("org/one-GGUF")
    assert hub.faults == {}
    path = Path(ca.load("org/one-GGUF").info()["path"])
    assert path.read_bytes() == made["org/one-GGUF"]["model-Q4_0.gguf"]


@pytest.mark.parametrize("name", ["org/single", "org/one-GGUF"])
def test_ctrl_c_in_a_download(name: str, hub: StubHub, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(huggingface_hub, "snapshot_download", pressed)
        with pytest.raises(KeyboardInterrupt) as caught:
            ca.load(name)
    assert str(caught.value) == (
        f"Stopped fetching '{name}'; files that came whole stay in {home / 'hub'}. Call again to fetch the rest."
    )
    assert caught.value.__suppress_context__ and caught.traceback[-1].name == "get"
    assert len(ca.load(name).tokenizer) == 273


def test_a_disk_that_fills_up(hub: StubHub, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "x.incomplete")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", full)
    assert re.fullmatch(
        rf"'org/single' could not be kept in {re.escape(str(home / 'hub'))}: No space left on device; [\d.,]+ [KMGT]iB are "
        r"free there\. Make room, or set HF_HOME to a folder on a larger disk before Python starts\.",
        refused(ca.load, "org/single"),
    )


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


def test_a_repository_that_changes_meanwhile(hub: StubHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(tmp_path))
    said = refused(ca.tokenizer, "org/single")
    assert said == (
        "'org/single' changed while it was fetched: tokenizer.json, tokenizer_config.json, generation_config.json did "
        "not come. Call again."
    )
