"""A vocabulary from texts."""

from collections.abc import Iterator

import numpy as np
from cutaway.bench.workers import Side

from .. import side_trainers as work
from ..files import shared_file
from ..registry import Line, row
from ..run import OURS, Run
from ..tokenizing import python_source, timed

SIDES = {OURS: Side("bench.side_trainers:Cutaway"), "tokenizers": Side("bench.side_trainers:Transformers")}
TIMES = 4  # the standard library so often: a text that takes a second


@row("Training a tokenizer", 18)
def train_tokenizer(run: Run) -> Iterator[Line]:
    """Byte-level BPE, after a check that both find the same merges. cutaway has one thread; tokenizers takes what it
    finds."""
    texts = {f"Python source, {TIMES} times 4.3 MB, 8,000 ids": (python_source().split("\n\n") * TIMES, 8000)}
    for title, name in (("English prose, 280 KB", "botchan.txt"), ("Japanese prose, 1 MB", "wagahaiwa_nekodearu.txt")):
        if path := shared_file(f"tokenizers/{name}"):
            texts[f"{title}, 5,000 ids"] = (path.read_text(encoding="utf-8").split("\n"), 5000)
    with run.started(SIDES) as (workers, missing):
        for case, (parts, size) in texts.items():
            found = {label: worker(work.merges, parts, size) for label, worker in workers.items()}
            fit = {label: np.array_equal(merges, found[OURS]) for label, merges in found.items()}
            unfit = missing | {label: "finds other merges" for label, same in fit.items() if not same}
            jobs = {
                label: lambda w=worker, parts=parts, size=size: w(work.training, parts, size)
                for label, worker in workers.items()
                if fit[label]
            }
            yield timed(run, case, "s", jobs, unfit, {"tokenizers": 5.0})
