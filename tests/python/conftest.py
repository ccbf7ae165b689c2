"""Where tests find what does not lie in the repository: real models and the conformance data."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cutaway.catalogue import cached_path, entry_of

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
