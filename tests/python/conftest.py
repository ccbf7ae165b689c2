"""Where tests find what does not lie in the repository: real models and the conformance data."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("CUTAWAY_OVERSUBSCRIBE", "1")  # any number of threads is tested, on any number of cores
os.environ["CUTAWAY_PACK"] = "0"  # nothing is left in the user's cache; tests of pack files have caches of their own

import cutaway as ca
import pytest
from cutaway.catalogue import cached_path, entry_of
from cutaway.model import load  # the engine's, also where a test has put a fake one in its place
from make_models import make_model

ROOT = Path(__file__).resolve().parents[2]
# Files of the catalogue, by the short name that tests use.
CATALOGUE = {"smollm2": "smollm2-135m-instruct", "gemma3": "gemma3-270m"}


def find_model(name: str) -> Path | None:
    """smollm2 | gemma3: $CUTAWAY_TEST_MODELS/<name>.gguf, else the file that cutaway's own cache holds."""
    folder = os.environ.get("CUTAWAY_TEST_MODELS")
    if folder:
        path = Path(folder) / f"{name}.gguf"
        return path if path.is_file() else None
    entry = entry_of(CATALOGUE[name])
    return cached_path(entry) if entry else None


@pytest.fixture(scope="session")
def model_path() -> Callable[[str], Path]:
    """model_path("smollm2"): the file of a real model; the test is skipped where it is absent."""

    def get(name: str) -> Path:
        path = find_model(name)
        if path is None:
            pytest.skip(f"the model {name} is not here; set CUTAWAY_TEST_MODELS to a folder with {name}.gguf")
        return path

    return get


@pytest.fixture(scope="session")
def real_model(model_path: Callable[[str], Path]) -> Callable[..., ca.Model]:
    """real_model("smollm2", "int8"): a real model, loaded once for all tests."""
    loaded: dict[tuple[str, str], ca.Model] = {}

    def get(name: str, compute: str = "float32") -> ca.Model:
        if (name, compute) not in loaded:
            loaded[name, compute] = ca.load(model_path(name), compute=compute)
        return loaded[name, compute]

    return get


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., SimpleNamespace]:
    """small_model("gemma3", "Q8_0", compute="int8", n_layers=4): a random model, made and loaded once.

    Has the engine's `.model`, and `.config` and `.weights` for the NumPy twins. shards=n: a folder with safetensors.
    """
    made: dict[str, SimpleNamespace] = {}

    def get(family: str, weight_type: str = "F32", compute: str = "float32", shards: int = 0, **sizes: Any):
        key = repr((family, weight_type, compute, shards, sorted(sizes.items())))
        if key not in made:
            path = tmp_path_factory.mktemp("model") / ("folder" if shards else "model.gguf")
            twin = make_model(path, family, weight_type, 11, shards=max(shards, 1), **sizes)
            made[key] = SimpleNamespace(model=load(path, compute=compute), path=path, **twin)
        return made[key]

    return get


def shared_folder() -> Path | None:
    """The folder with conformance data: $CUTAWAY_SHARED, else ../shared beside the repository."""
    path = Path(os.environ.get("CUTAWAY_SHARED") or ROOT.parent / "shared")
    return path if (path / "conformance").is_dir() else None


@pytest.fixture(scope="session")
def shared_path() -> Callable[[str], Path]:
    """shared_path("conformance/tokenizers"): the test is skipped where the folder or file is absent."""

    def get(name: str) -> Path:
        folder = shared_folder()
        if folder is None or not (folder / name).exists():
            pytest.skip(f"../shared/{name} is not here; set CUTAWAY_SHARED to the folder that holds it")
        return folder / name

    return get
