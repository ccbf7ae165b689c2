"""What tests of pack files run in processes of their own: started afresh, with the cache that the test set up."""

import os
import resource
from pathlib import Path
from typing import Any

import cutaway as ca
import numpy as np
from cutaway import packs

IDS = np.array([3, 272, 41, 7, 100])


def open_to_packs() -> None:
    """Small models and new files get pack files, too."""
    packs.LEAST, packs.SETTLED = 0, 0.0


def load_and_say(path: str, threads: int) -> tuple[str | None, bytes]:
    """(the pack file in use, the bits of the logits)"""
    open_to_packs()
    model = ca.load(path, pack=True, threads=threads)
    return model.info()["pack"], model(IDS).tobytes()


def load_at_once(path: str, threads: int, ready: Any, answer: Any) -> None:
    """The same, beginning when all are ready."""
    open_to_packs()
    ready.wait(60)
    answer.put(load_and_say(path, threads))


def load_with_small_files(path: str, limit: int) -> tuple[str | None, bytes]:
    """No file may become longer than `limit`: as on a full disk, with a signal besides."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    return load_and_say(path, 1)


def mapped(pack: str) -> dict[str, int]:
    """Bytes that this process has of a file in its memory: "Rss", "Pss" (its share of what is shared) and so on."""
    out: dict[str, int] = {}
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        name, *rest = line.split()
        if name.endswith(":"):
            if inside and len(rest) == 2 and rest[1] == "kB":
                out[name[:-1]] = out.get(name[:-1], 0) + int(rest[0]) * 1024
        else:
            inside = line.endswith(pack)
    return out


def measure_share(path: str, ready: Any, measured: Any, answer: Any) -> None:
    """Loads and runs; once all have done so, says what the pack file and the whole process take."""
    open_to_packs()
    model = ca.load(path, pack=True, threads=1)
    model(IDS)
    ready.wait(60)
    whole = {}
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]:
        name, size = line.split()[:2]
        whole[name[:-1]] = int(size) * 1024
    answer.put((mapped(str(model.info()["pack"])), whole, model.info()["bytes"]["packed"], os.getpid()))
    measured.wait(60)  # nobody leaves before everybody has measured
