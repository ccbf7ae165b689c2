"""Repositories of the Hugging Face Hub for tests: random models in each form, a stub that serves them, no network."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cutaway as ca
import pytest
from make_models import make_model
from stub_hub import StubHub, files_of, serving
from test_gguf_parts import split
from toy_vocabulary import MERGES, byte_letters

huggingface_hub = pytest.importorskip("huggingface_hub", reason="the extra [hub] is not installed")
constants = pytest.importorskip("huggingface_hub.constants")

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
