"""Where the models of a comparison lie: real ones in cutaway's catalogue, made ones in a cache beside it."""

from __future__ import annotations

import os
from pathlib import Path

from cutaway.cache import cache_dir

CATALOGUE = {"smollm2": "smollm2-135m-instruct", "gemma3": "gemma3-270m"}
TITLES = {"smollm2": "SmolLM2 135M Q4_1", "gemma3": "Gemma 3 270M Q4_K_M"}
ROOT = Path(__file__).resolve().parents[2]


def cache_folder() -> Path:
    """CUTAWAY_BENCH_CACHE, else `bench` in cutaway's cache. Made files come to several GB; any may be removed."""
    folder = Path(os.environ.get("CUTAWAY_BENCH_CACHE") or cache_dir() / "bench").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def model_file(name: str) -> Path:
    """smollm2 | gemma3: $CUTAWAY_TEST_MODELS/<name>.gguf, else the catalogue's file, fetched on first use."""
    folder = os.environ.get("CUTAWAY_TEST_MODELS")
    if folder and (Path(folder) / f"{name}.gguf").is_file():
        return Path(folder) / f"{name}.gguf"
    from cutaway.catalogue import resolve

    return Path(resolve(CATALOGUE[name]))


def shared_file(name: str) -> Path | None:
    """A file of the conformance data ($CUTAWAY_SHARED, else ../shared), which is no part of this repository."""
    path = Path(os.environ.get("CUTAWAY_SHARED") or ROOT.parent / "shared") / "conformance" / name
    return path if path.is_file() else None
