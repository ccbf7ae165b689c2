"""ca.tokenizer and ca.tokenizer_for: where ranks come from, and which model has which."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cutaway as ca
import pytest
from cutaway import encodings, fetch
from cutaway.catalogue_entries import Entry

SHA1 = {  # tiktoken's names in its cache folder
    "cl100k_base": "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
    "o200k_base": "fb374d419588a4632f3f557e76b4b70aebbca790",
    "p50k_base": "ec7223a39ce59f226a68acc30dc1af2788490e15",
    "r50k_base": "0ea1e91bbb3a60f729a8dc8f777fd2fc07cd8df4",
}
Shared = Callable[[str], Path]


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Empty caches, nothing installed, and an index that does not answer."""
    encodings._loaded.cache_clear()
    monkeypatch.setenv("CUTAWAY_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "tiktoken"))

    def absent(name: str) -> None:
        raise encodings.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(encodings.metadata, "distribution", absent)

    def refuse(entry: Entry, wheel: object, *_: object) -> Path:
        raise ca.Error(f"no index for {entry.name}")

    monkeypatch.setattr(fetch, "_download", refuse)
    yield
    encodings._loaded.cache_clear()


def place(folder: Path, name: str, source: Path) -> None:
    folder.mkdir(exist_ok=True, parents=True)
    (folder / SHA1[name]).write_bytes(source.read_bytes())


SIZES = {"cl100k_base": 100_277, "o200k_base": 200_019, "p50k_base": 50_281, "r50k_base": 50_257}


@pytest.mark.parametrize("name", SHA1)
def test_from_tiktokens_cache(name: str, tmp_path: Path, shared_path: Shared) -> None:
    place(tmp_path / "tiktoken", name, shared_path(f"conformance/tokenizers/{name}.tiktoken"))
    tok = ca.tokenizer(name)
    assert len(tok) == SIZES[name]
    assert ca.tokenizer(name) is tok


def test_an_encoding_has_its_name(tmp_path: Path, shared_path: Shared) -> None:
    """Wherever its ranks lie under whatever name; and results that compare tokenizers call it that, given as a name."""
    place(tmp_path / "tiktoken", "p50k_base", shared_path("conformance/tokenizers/p50k_base.tiktoken"))
    for again in range(2):  # from the ranks, then from the pack file
        for name in ("p50k_base", "r50k_base", "gpt2"):
            tok = ca.tokenizer(name)
            assert tok.name == name and repr(tok).startswith(f"Tokenizer({name!r}, "), again
        encodings._loaded.cache_clear()
    diff = ca.diff_tokenizers("gpt2", ca.tokenizer("p50k_base"), "a    b")
    assert (diff.a, diff.b) == ("gpt2", "p50k_base") and not diff.same
    same = ca.diff_tokenizers("gpt2", "gpt2", "a b")
    assert same.same and same.a != same.b
    costs = ca.language_cost({"English": ["the cat"], "German": ["die Katze"]}, ["gpt2", "p50k_base"])
    assert [row.tokenizer for row in costs] == ["gpt2"] * 2 + ["p50k_base"] * 2
    assert ca.language_cost({"English": ["the cat"]}, {"mine": "gpt2"})[0].tokenizer == "mine"
    assert ca.compare_formats({"a": 1}, "gpt2")["JSON"].ids == tuple(ca.tokenizer("gpt2").encode('{\n  "a": 1\n}'))
    path = shared_path("conformance/tokenizers/p50k_base.tiktoken")
    assert ca.Tokenizer.from_file(path).name == "p50k_base.tiktoken"


def test_the_other_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shared_path: Shared) -> None:
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR")
    monkeypatch.setenv("DATA_GYM_CACHE_DIR", str(tmp_path / "gym"))
    place(tmp_path / "gym", "p50k_base", shared_path("conformance/tokenizers/p50k_base.tiktoken"))
    assert ca.tokenizer("p50k_edit").special_ids == {"eos": 50256, "fim_pre": 50281, "fim_mid": 50282, "fim_suf": 50283}


def test_encodings_that_share_a_file(tmp_path: Path, shared_path: Shared) -> None:
    """r50k's ranks are the beginning of p50k's, byte for byte."""
    for name in ("p50k_base", "o200k_base"):
        place(tmp_path / "tiktoken", name, shared_path(f"conformance/tokenizers/{name}.tiktoken"))
    assert len(ca.tokenizer("r50k_base")) == len(ca.tokenizer("gpt2")) == 50_257
    made = tmp_path / "own/models/openai-ranks/r50k_base.tiktoken"
    assert made.read_bytes() == shared_path("conformance/tokenizers/r50k_base.tiktoken").read_bytes()
    harmony = ca.tokenizer("o200k_harmony")
    assert len(harmony) == 201_088
    assert harmony.encode("<|start|>user<|message|>Hi<|end|>", parse_special=True).tolist()[::2] == [
        200006,
        200008,
        200007,
    ]
    assert harmony.encode("<|reserved_201087|>", parse_special=True).tolist() == [201_087]


def test_a_damaged_file_is_passed_over(tmp_path: Path, shared_path: Shared) -> None:
    source = shared_path("conformance/tokenizers/p50k_base.tiktoken")
    place(tmp_path / "tiktoken", "p50k_base", source)
    damaged = tmp_path / "tiktoken" / SHA1["p50k_base"]
    damaged.write_bytes(damaged.read_bytes()[:-10])
    with pytest.raises(ca.Error, match="no index for openai-ranks"):
        ca.tokenizer("p50k_base")
    place(tmp_path / "own/models/openai-ranks", "p50k_base", source)
    assert len(ca.tokenizer("p50k_base")) == 50_281


def test_from_the_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shared_path: Shared) -> None:
    """One wheel brings all ranks; afterwards nothing is fetched."""
    asked = []

    def download(entry: Entry, wheel: object, temp: Path, *_: object) -> Path:
        asked.append(entry.name)
        archive = temp / "litellm.whl"
        with zipfile.ZipFile(archive, "w") as out:
            for name in ("cl100k_base", "o200k_base", "p50k_base"):
                source = shared_path(f"conformance/tokenizers/{name}.tiktoken")
                out.write(source, f"litellm/litellm_core_utils/tokenizers/{SHA1[name]}")
        return archive

    monkeypatch.setattr(fetch, "_download", download)
    for name, size in SIZES.items():
        assert len(ca.tokenizer(name, progress=False)) == size
    assert asked == ["openai-ranks"]


def test_unknown_names() -> None:
    with pytest.raises(ca.ArgumentError, match="no encoding 'cl100k'.*'cl100k_base'"):
        ca.tokenizer("cl100k")
    with pytest.raises(ca.ArgumentError, match="'gpt-4o' is a model.*tokenizer_for"):
        ca.tokenizer("gpt-4o")
    with pytest.raises(ca.ArgumentError, match="the model 'gpt4o'.*'gpt-4o'"):
        ca.tokenizer_for("gpt4o")
    with pytest.raises(ca.ArgumentError, match="a str"):
        ca.tokenizer(3)  # type: ignore[arg-type]
    with pytest.raises(ca.ArgumentError, match="a str"):
        ca.tokenizer_for(None)  # type: ignore[arg-type]


def test_models_as_tiktoken_has_them() -> None:
    theirs = pytest.importorskip("tiktoken.model")
    assert encodings.MODELS == theirs.MODEL_TO_ENCODING
    assert list(encodings.PREFIXES.items()) == list(theirs.MODEL_PREFIX_TO_ENCODING.items())
    for model in (
        "gpt-4o",
        "gpt-4o-mini",
        "gpt-4-0314",
        "gpt-oss-20b",
        "ft:gpt-4o-x",
        "gpt-5-nano",
        "o3-mini",
        "text-ada-001",
    ):
        assert encodings.encoding_of(model) == theirs.encoding_name_for_model(model)


def test_the_names_are_those_of_tiktokens_addresses() -> None:
    for name, digest in SHA1.items():
        assert encodings._file_of(name) == digest == hashlib.sha1(encodings._ADDRESS.format(name).encode()).hexdigest()


def test_the_module_does_not_hide_the_function() -> None:
    assert callable(ca.tokenizer)
    assert ca.Tokenizer.__module__ == "cutaway.tokenization"
    assert callable(ca.tokenizer)
