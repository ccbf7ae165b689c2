"""Running one model over the prompts: an Answer per sample, failed ones included."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import Error
from ..generate import finished
from ..row import Model, Prompt, Row
from ..settings import Settings, parse_prompts
from .metrics import echoes_prompt, entropy_and_top, mean, repeats
from .prompts import Rendered, Template, content

# (index of the prompt, sample)
Key = tuple[int, int]


@dataclass(frozen=True)
class Answer:
    """One row of a comparison: what one model said to one prompt in one sample."""

    model: str
    prompt: str
    sample: int
    seed: int
    text: str | None
    """None where the row failed."""
    finish_reason: str
    """"stop" | "length" | "context", or "error" where the row failed."""
    tokens: int
    """New ids, with the stop token if one was drawn."""
    mean_logprob: float
    """Mean natural log-probability of the new ids before any sampler stage; NaN without tokens."""
    entropy: float
    """Mean entropy in nats of the distributions that they were drawn from, before any stage."""
    top1_rate: float
    """Share of steps whose token was the most probable one before any stage."""
    repeats: float
    """Share of the answer's 4-grams of tokens that it had already; see `metrics.repeats`."""
    echoes_prompt: float
    """Longest run of tokens shared with the prompt, over the prompt's tokens; see `metrics.echoes_prompt`."""
    seconds: float
    """From the first token of the prompt to the last of the answer, beside the rows that ran in the same batch."""
    error: str | None
    prompt_index: int
    rendered: str
    """The text that the model read."""
    span: tuple[int, int]
    """Where the user's prompt lies in it, in characters."""
    prompt_ids: tuple[int, ...]
    ids: tuple[int, ...]
    pieces: tuple[str, ...]
    """Each new id as text."""
    logprobs: tuple[float, ...]
    entropies: tuple[float, ...]

    @property
    def key(self) -> Key:
        return self.prompt_index, self.sample


class _Watched(Row):
    """A row that notes entropy and most probable token of every distribution, and keeps no logits."""

    def __init__(self, prompt: Prompt, sample: int, key: Key, settings: Settings, tokenizer: Any) -> None:
        super().__init__(prompt, settings.sampler_for(int(settings.seed), sample), tokenizer)  # type: ignore[arg-type]
        self.key = key
        self.seen: list[tuple[float, int]] = []

    def take(self, logits: np.ndarray, trace: Any = None) -> Any:
        self.seen.append(entropy_and_top(logits))
        return super().take(logits, trace)


@dataclass(frozen=True)
class _Read:
    """A prompt as a model reads it, or why it does not."""

    rendered: Rendered
    ids: np.ndarray
    content_ids: np.ndarray
    error: str | None = None


def answers(
    label: str,
    model: Any,
    template: Template,
    prompts: Sequence[str],
    settings: Settings,
    done: Mapping[Key, Any],
) -> Iterator[Answer]:
    """An Answer per prompt and sample that is not `done`, each as soon as it has ended."""
    tokenizer, reads = model.tokenizer, dict[int, _Read]()
    missing = {i: [j for j in range(settings.n) if (i, j) not in done] for i in range(len(prompts))}
    for i, samples in missing.items():
        if samples:
            reads[i] = _read(prompts[i], template, tokenizer, model)
        for j in samples:
            if reads[i].error is not None:
                yield _answer(label, prompts[i], (i, j), reads[i], settings, tokenizer, None, reads[i].error)
    run = _Run(model, tokenizer, settings)
    rows = (row for i, read in reads.items() if read.error is None for row in run.rows(read.ids, i, missing[i]))
    for key, row, error in run.ended(rows):
        yield _answer(label, prompts[key[0]], key, reads[key[0]], settings, tokenizer, row, error)


class _Run:
    """Rows in batches. Where a batch fails, its rows run again one by one, so that only the bad one fails."""

    def __init__(self, model: Any, tokenizer: Any, settings: Settings) -> None:
        self.model, self.tokenizer, self.settings = model, tokenizer, settings

    def rows(self, ids: np.ndarray, index: int, samples: Sequence[int]) -> list[_Watched]:
        """Samples of one prompt, which share its prefilled session."""
        shared = Prompt(self.model, ids, len(samples), self.settings)
        return [_Watched(shared, j, (index, j), self.settings, self.tokenizer) for j in samples]

    def ended(self, rows: Iterable[_Watched]) -> Iterator[tuple[Key, _Watched | None, str | None]]:
        waiting, begun = iter(rows), dict[Key, _Watched]()

        def noted() -> Iterator[_Watched]:
            for row in waiting:
                begun[row.key] = row
                yield row

        while True:
            try:
                for row in finished(noted()):
                    watched = begun.pop(row.key)  # type: ignore[attr-defined]
                    yield watched.key, watched, None
                return
            except (Error, MemoryError):
                alone, begun = list(begun.values()), {}
            for row in alone:
                (again,) = self.rows(row.prompt.ids, row.key[0], [row.key[1]])
                try:
                    list(finished([again]))
                    yield again.key, again, None
                except (Error, MemoryError) as error:
                    yield again.key, None, str(error) or "there is not enough memory"


def _read(prompt: str, template: Template, tokenizer: Any, model: Model) -> _Read:
    rendered, none = Rendered(prompt, 0, len(prompt)), np.empty(0, np.int32)
    if not prompt:
        return _Read(rendered, none, none, "the prompt is empty. A model needs a text to answer.")
    try:
        rendered = template.render(prompt, tokenizer)
        ids, spans = template.encode(rendered.text, tokenizer)
        parse_prompts(ids, model.n_ctx, model.n_ctx_of_file)  # raises for one that the context does not hold
    except Error as error:
        return _Read(rendered, none, none, str(error))
    return _Read(rendered, ids, ids[content(spans, *rendered.span())])


def _answer(
    label: str,
    prompt: str,
    key: Key,
    read: _Read,
    settings: Settings,
    tokenizer: Any,
    row: _Watched | None,
    error: str | None,
) -> Answer:
    out = row.result() if row is not None else None
    ids = [] if out is None else out.ids.tolist()
    said = [id for id in ids if id not in settings.stop_ids]  # a stop token is drawn, and is not said
    logprobs = [] if out is None else out.logprobs.tolist()
    seen = [] if row is None else row.seen
    return Answer(
        model=label,
        prompt=prompt,
        sample=key[1],
        seed=int(settings.seed) + key[1],  # type: ignore[arg-type]
        text=None if out is None else out.text,
        finish_reason="error" if out is None else out.finish_reason,
        tokens=len(ids),
        mean_logprob=mean(logprobs),
        entropy=mean([entropy for entropy, _ in seen]),
        top1_rate=mean([float(top == id) for (_, top), id in zip(seen, ids, strict=True)]),
        repeats=math.nan if out is None else repeats(said),
        echoes_prompt=math.nan if out is None else echoes_prompt(said, read.content_ids.tolist()),
        seconds=math.nan if out is None else row.prompt.seconds + out.timings["decode_seconds"],  # type: ignore[union-attr]
        error=error,
        prompt_index=key[0],
        rendered=read.rendered.text,
        span=(read.rendered.begin, read.rendered.end),
        prompt_ids=tuple(read.ids.tolist()),
        ids=tuple(ids),
        pieces=tuple(tokenizer.tokens(ids)) if ids else (),
        logprobs=tuple(logprobs),
        entropies=tuple(entropy for entropy, _ in seen),
    )
