"""Encodings by name as sides of a comparison: everything is imported, nothing is loaded before it is asked for."""

from __future__ import annotations

import time
from hashlib import sha1
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np


def held() -> int:
    """Bytes of physical memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmRSS")


class Encodings:
    """A side: `open(name)` loads an encoding; both know the ranks of TIKTOKEN_CACHE_DIR."""

    package = ""
    open: Any

    def __init__(self) -> None:
        self.made: Any = None
        self.before = 0

    def encode(self, text: str) -> Any:
        return self.made.encode(text)

    def facts(self) -> dict[str, Any]:
        return {"version": metadata.version(self.package)}


class Cutaway(Encodings):
    def __init__(self) -> None:
        super().__init__()
        import cutaway as ca

        self.open, self.version = ca.tokenizer, ca.__version__

    def facts(self) -> dict[str, Any]:
        return {"version": self.version}


class Tiktoken(Encodings):
    package = "tiktoken"

    def __init__(self) -> None:
        super().__init__()
        import tiktoken

        self.open = tiktoken.get_encoding
        tiktoken.list_encoding_names()  # imports its plug-ins

    def encode(self, text: str) -> Any:
        return self.made.encode_ordinary(text)


# ---- what a worker is asked


def opening(side: Encodings, name: str) -> float:
    """Seconds of the first load of this process."""
    side.before = held()
    start = time.perf_counter()
    side.made = side.open(name)
    return time.perf_counter() - start


def growth_after(side: Encodings, text: str) -> int:
    """Bytes that this process has grown by since before the load, now that it has encoded a text."""
    side.encode(text)
    return held() - side.before


def hash_of_ids(side: Encodings, text: str) -> str:
    return sha1(np.asarray(side.encode(text), np.int32).tobytes()).hexdigest()
