"""The generation loop: sample, feed the token back, decode, stop. Everything it needs of a model is `Model` below."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from .errors import ArgumentError, Error
from .fingerprint import Fingerprint
from .generation import Generation, Step
from .sampler import Sampler
from .settings import Settings, parse_prompts, parse_settings, shows_settings
from .stops import StopMatcher

BATCH_ROWS = 16  # rows in one step; further prompts take the place of rows that finish


class Session(Protocol):
    """A KV cache. With `names`, append returns (logits, trace of `positions`) instead of logits."""

    def append(self, ids: np.ndarray, logits: str = "last", **names_and_positions: Any) -> Any: ...

    def fork(self) -> Session: ...

    def __len__(self) -> int: ...


class TextStream(Protocol):
    """An incremental detokenizer: never half a character."""

    def push(self, id: int) -> str: ...

    def finish(self) -> str: ...


class Model(Protocol):
    """`tokenizer` may raise cutaway.Error where there is none; `stop_ids` are the file's eos, eot and eom ids."""

    @property
    def n_ctx(self) -> int: ...

    @property
    def stop_ids(self) -> Sequence[int]: ...

    @property
    def tokenizer(self) -> Any: ...

    def session(self) -> Session: ...


class _Prompt:
    """One prompt and its prefilled session, which its samples fork."""

    def __init__(self, model: Model, ids: np.ndarray, samples: int, settings: Settings):
        self.model, self.ids, self.settings = model, ids, settings
        self._waiting = samples
        self._session: Session | None = None
        self._logits: tuple[np.ndarray, Any] | None = None
        self.seconds = 0.0

    def start(self) -> tuple[Session, np.ndarray, Any]:
        if self._session is None or self._logits is None:
            began = time.perf_counter()
            self._session = self.model.session()
            self._logits = forward(self._session, self.ids, self.settings.names)
            self.seconds = time.perf_counter() - began
        session, (logits, trace) = self._session, self._logits
        self._waiting -= 1
        if self._waiting:
            return session.fork(), logits, trace
        self._session = self._logits = None
        return session, logits, trace


def forward(session: Session, ids: np.ndarray, names: tuple[str, ...] | None) -> tuple[np.ndarray, Any]:
    """Appends ids: the last position's logits, float32 [d_vocab], and with names the trace of that position."""
    if names is None:
        return session.append(ids, logits="last"), None
    return session.append(ids, logits="last", names=list(names), positions=[-1])


class Row:
    """One text being generated: its session, its steps, and what decides where it ends."""

    def __init__(self, prompt: _Prompt, sampler: Sampler, tokenizer: Any):
        settings, n_prompt = prompt.settings, len(prompt.ids)
        self.prompt, self.sampler, self.settings, self.tokenizer = prompt, sampler, settings, tokenizer
        self.session: Session | None = None
        self.decode_seconds = 0.0
        self.decode_tokens = 0
        self._stream: TextStream | None = tokenizer.stream() if tokenizer else None
        self._matcher = StopMatcher(settings.stop)
        # One entry per token, complete when it is added: an interrupt between two lines leaves nothing half done.
        self._log: list[tuple[Step, Fingerprint, str | None]] = []
        self._seen = np.empty(n_prompt + min(settings.max_new_tokens, settings.n_ctx), np.int32)
        self._seen[:n_prompt] = prompt.ids
        self._ended = "length" if settings.max_new_tokens == 0 else None

    @property
    def finish_reason(self) -> str | None:
        """None while the row goes on."""
        return self._ended or (self._log[-1][2] if self._log else None)

    @property
    def steps(self) -> list[Step]:
        return [step for step, _, _ in self._log]

    def start(self) -> None:
        """Runs the prompt and draws the first token."""
        self.session, logits, trace = self.prompt.start()
        self.take(logits, trace)

    def last_id(self) -> np.ndarray:
        return np.asarray([self._log[-1][0].id], np.int32)

    def take(self, logits: np.ndarray, trace: Any = None) -> Step:
        """Draws the next token from logits, float32 [d_vocab]."""
        began = time.perf_counter()
        index, n_prompt = len(self._log), len(self.prompt.ids)
        seen = self._seen[: n_prompt + index] if self.sampler.reads_history else ()
        explanation = None
        if not self.settings.ledger:
            id, logprob, sampled_logprob = self.sampler.draw(logits, ids=seen, step=index)
        else:
            explanation = self.sampler.explain(logits, ids=seen, step=index, tokenizer=self.tokenizer)
            drawn = explanation.draw
            id, logprob, sampled_logprob = drawn.token, drawn.logprob, drawn.sampled_logprob
        text, reason = self._decode(id, index)
        step = Step(index, id, text, logprob, sampled_logprob, trace, explanation)
        before = self._log[-1][1] if self._log else Fingerprint()
        self._seen[n_prompt + index] = id
        self._log.append((step, before.with_row(logits), reason))
        self.decode_seconds += time.perf_counter() - began
        return step

    def _decode(self, id: int, index: int) -> tuple[str | None, str | None]:
        """The text that becomes safe to show with this token, and why it is the last one, if it is."""
        reason = None
        if id in self.settings.stop_ids:
            reason = "stop"
        elif index + 1 == self.settings.max_new_tokens:
            reason = "length"
        elif self.session is not None and len(self.session) >= self.settings.n_ctx:
            reason = "context"
        if self._stream is None:
            return None, reason
        text, matched = self._matcher.push("" if id in self.settings.stop_ids else self._stream.push(id))
        if not matched and reason:
            tail, matched = self._matcher.push(self._stream.finish())
            text += tail if matched else tail + self._matcher.finish()
        return text, "stop" if matched else reason

    def interrupt(self) -> None:
        """Ends the row where it stands. Text held back in case a stop string followed joins the last step."""
        if self.finish_reason is not None:
            return
        self._ended = "interrupted"
        if self.tokenizer is None or not self._log:
            return
        stream, matcher = (
            self.tokenizer.stream(),
            StopMatcher(self.settings.stop),
        )  # from the ids: sure to match the log
        text = "".join(matcher.push(stream.push(step.id))[0] for step in self.steps)
        tail, matched = matcher.push(stream.finish())
        text += tail if matched else tail + matcher.finish()
        shown = "".join(step.text or "" for step in self.steps)
        last, fingerprint, _ = self._log[-1]
        self._log[-1] = replace(last, text=(last.text or "") + text[len(shown) :]), fingerprint, None

    def result(self) -> Generation:
        steps = self.steps
        fingerprint = self._log[-1][1] if self._log else Fingerprint()
        seconds = self.decode_seconds
        return Generation(
            text=None if self.tokenizer is None else "".join(step.text or "" for step in steps),
            steps=steps,
            prompt_ids=self.prompt.ids,
            seed=self.sampler.seed,
            finish_reason=self.finish_reason or "interrupted",
            fingerprint=fingerprint.hexdigest(self.prompt.ids.tolist(), [step.id for step in steps]),
            timings={
                "prefill_seconds": self.prompt.seconds,
                "prefill_tokens": len(self.prompt.ids) if self.prompt.seconds else 0,
                "decode_seconds": seconds,
                "decode_tokens": self.decode_tokens,
                "tokens_per_second": self.decode_tokens / seconds if seconds else 0.0,
            },
            settings={**self.settings.shown(), "sampler": self.sampler},
        )


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

        logits = cutaway.step([row.session for row in begun], np.concatenate([row.last_id() for row in begun]))
        results = [(one, None) for one in logits]
    seconds = time.perf_counter() - began
    for row, (one, trace) in zip(begun, results, strict=True):
        row.decode_seconds += seconds
        row.decode_tokens += 1
        row.take(one, trace)


def run(rows: list[Row]) -> None:
    """Drives rows to their end. Ctrl-C ends them where they stand."""
    waiting, active = deque(row for row in rows if row.finish_reason is None), list[Row]()
    try:
        while waiting or active:
            while waiting and len(active) < BATCH_ROWS:
                active.append(waiting.popleft())
            advance(active)
            for row in active:
                if row.finish_reason is not None:
                    row.session = None
            active = [row for row in active if row.finish_reason is None]
    except KeyboardInterrupt:
        for row in rows:
            row.interrupt()


@shows_settings
def generate(model: Model, prompt: Any, *, stream: bool = False, **settings: Any) -> Any:
    """Generates from token ids: one prompt (1-D integers) or a list of prompts.

    Settings, with their defaults: max_new_tokens=128 (also max_tokens), temperature=1.0 (0 is greedy), top_k=0,
    top_p=1.0, min_p=0.0, repetition_penalty=1.0, presence_penalty=0.0, frequency_penalty=0.0, sampler=None (a Sampler
    or a list of stages in place of these seven), seed=None (one is picked and recorded), stop=() (a string or several),
    names=None (activations to trace at every step), ledger=False (keep the sampler's ledger of every step), n=1.

    Returns a Generation; a Stream of Step with `stream=True` (one prompt, n=1); with n > 1 a list of n, sample j drawn
    with seed + j; for a list of prompts a list of what a single one gives, every row with `seed`, or with
    its own from a list. Ctrl-C returns what there is (finish_reason "interrupted"); a Stream keeps it in `.result` and raises.
    Raises ArgumentError for settings that cannot be carried out.
    """
    prompts, is_batch = parse_prompts(prompt, model.n_ctx)
    plan = parse_settings(settings, n_ctx=model.n_ctx, stop_ids=model.stop_ids)
    if stream and (is_batch or plan.n > 1):
        raise ArgumentError("stream=True follows one text. Pass one prompt and n=1, or leave stream out.")
    tokenizer = _tokenizer(model, plan)
    groups = []
    for ids, seed in zip(prompts, plan.seeds_for(len(prompts), is_batch), strict=True):
        shared = _Prompt(model, ids, plan.n, plan)
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
