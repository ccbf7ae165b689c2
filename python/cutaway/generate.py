"""The generation loop: sample, feed the token back, decode, stop. What it needs of a model is `row.Model`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from .arguments import checked_arguments
from .errors import ArgumentError, Error
from .generation import Generation, Step
from .row import Model, Prompt, Row, forward
from .settings import Settings, parse_prompts, parse_settings, shows_settings

BATCH_ROWS = 16  # rows in one step; further prompts take the place of rows that finish


@checked_arguments
class Stream:
    """An iterator of Step. `result` is the Generation: at any time what there is so far.

    Closing it early (`close()`, or leaving a `with` block) ends the generation, as Ctrl-C does: `result` is then the
    partial one, with finish_reason "interrupted".
    """

    def __init__(self, row: Row):
        self._row = row

    def __iter__(self) -> Iterator[Step]:
        return self

    def __next__(self) -> Step:
        if self._row.finish_reason is not None:
            self._row.session = None
            raise StopIteration
        try:
            advance([self._row])
            return self._row.steps[-1]
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._row.interrupt()
        self._row.session = None

    @property
    def result(self) -> Generation:
        return self._row.result()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def advance(rows: list[Row]) -> None:
    """One more token for every row: rows that have begun share one step, unless they are traced."""
    begun = [row for row in rows if row.session is not None]
    for row in rows:
        if row.session is None:
            row.start()
    if not begun:
        return
    began = time.perf_counter()
    if len(begun) == 1 or begun[0].settings.names is not None:
        results = [forward(row.session, row.last_id(), row.settings.names) for row in begun if row.session is not None]
    else:
        import cutaway

        sessions: list[Any] = [row.session for row in begun]
        logits = cutaway.step(sessions, np.concatenate([row.last_id() for row in begun]))
        results = [(one, None) for one in logits]
    seconds = time.perf_counter() - began
    for row, (one, trace) in zip(begun, results, strict=True):
        row.decode_seconds += seconds
        row.decode_tokens += 1
        row.take(one, trace)


def run(rows: list[Row]) -> None:
    """Drives rows to their end. Ctrl-C ends them where they stand."""
    try:
        for _ in finished(row for row in rows if row.finish_reason is None):
            pass
    except KeyboardInterrupt:
        for row in rows:
            row.interrupt()


def finished(rows: Iterable[Row]) -> Iterator[Row]:
    """Drives rows to their end, BATCH_ROWS at a time, asking for one where there is room; gives each as it ends."""
    waiting, active = iter(rows), list[Row]()
    while True:
        active += islice(waiting, BATCH_ROWS - len(active))
        if not active:
            return
        if begun := [row for row in active if row.finish_reason is None]:
            advance(begun)
        for row in active:
            if row.finish_reason is not None:
                row.session = None
                yield row
        active = [row for row in active if row.finish_reason is None]


@checked_arguments
@shows_settings
def generate(model: Model, prompt: Any, *, stream: bool = False, **settings: Any) -> Any:
    """Generates from token ids: one prompt (1-D integers) or a list of prompts.

    Settings, with their defaults: max_new_tokens=128, temperature=1.0 (0 is greedy), top_k=0, top_p=1.0, min_p=0.0,
    repetition_penalty=1.0, presence_penalty=0.0, frequency_penalty=0.0, sampler=None (a Sampler or a list of stages in
    place of these seven), seed=None (one is picked and recorded), stop=() (a string or several), names=None
    (activations to trace at every step), ledger=None (keep each step's logits, from which `explain`, `resample` and
    `out.ledger()` work: True, False, or where they fit into 256 MiB), n=1.

    Returns a Generation; a Stream of Step with `stream=True` (one prompt, n=1); with n > 1 a list of n, sample j drawn
    with seed + j; for a list of prompts a list of what a single one gives, every row with `seed`, or with
    its own from a list. Ctrl-C returns what there is (finish_reason "interrupted"); a Stream keeps it in `.result` and
    raises. Raises ArgumentError for settings that cannot be carried out.
    """
    prompts, is_batch = parse_prompts(prompt, model.n_ctx, model.n_ctx_of_file)
    plan = parse_settings(
        settings, n_ctx=model.n_ctx, stop_ids=model.stop_ids, d_vocab=model.d_vocab, prompts=len(prompts)
    )
    if stream and (is_batch or plan.n > 1):
        raise ArgumentError("stream=True follows one text. Pass one prompt and n=1, or leave stream out.")
    tokenizer = _tokenizer(model, plan)
    groups = []
    for ids, seed in zip(prompts, plan.seeds_for(len(prompts), is_batch), strict=True):
        shared = Prompt(model, ids, plan.n, plan)
        groups.append([Row(shared, plan.sampler_for(seed, j), tokenizer) for j in range(plan.n)])
    if stream:
        return Stream(groups[0][0])
    run([row for group in groups for row in group])
    results = [[row.result() for row in group] for group in groups]
    if plan.n > 1:
        return results if is_batch else results[0]
    return [one for (one,) in results] if is_batch else results[0][0]


def _tokenizer(model: Model, settings: Settings) -> Any:
    try:
        return model.tokenizer
    except Error:
        if settings.stop:
            raise
        return None
