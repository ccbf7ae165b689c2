"""From nothing loaded to the first token: one side per process, made and asked once."""

from __future__ import annotations

import importlib
import time
from pathlib import Path
from typing import Any

import numpy as np

from .workers import Side


class Opening:
    """Imports what the side needs and loads nothing; `first_token` does the rest, once, and keeps what it loaded."""

    def __init__(self, maker: str, keywords: dict[str, Any]):
        module, _, name = maker.partition(":")
        self.maker = getattr(importlib.import_module(module), name)
        self.keywords = keywords
        self.made: Any = None

    def facts(self) -> dict[str, Any]:
        return {}


def opening(side: Side) -> Side:
    return Side("cutaway.bench.opening:Opening", {"maker": side.maker, "keywords": side.keywords})


def first_token(side: Opening, ids: np.ndarray) -> tuple[float, int, dict[str, Any]]:
    """(seconds from the call that loads to the first id, the id, the side's facts)"""
    began = time.perf_counter()
    made = side.maker(**side.keywords)
    made.clear()
    token = int(np.argmax(made.append(ids)))
    seconds = time.perf_counter() - began
    side.made = made
    return seconds, token, made.facts()


def memory_share(side: Opening) -> int:
    """Bytes of physical memory, what is shared with other processes divided by their number (proportional set size)."""
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/smaps_rollup has no Pss")


def warm_page_cache(path: Path) -> None:
    """Reads a file once."""
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 24):
            pass
