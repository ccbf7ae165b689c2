"""One text being generated: its prompt, its session, its steps, and what decides where it ends."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from .fingerprint import Fingerprint
from .generation import Generation, Step
from .ledger import Source
from .sampler import Sampler
from .settings import Settings
from .stops import StopMatcher


class Session(Protocol):
    """A KV cache. With `names`, append returns (logits, trace of `positions`) instead of logits."""

    def append(self, ids: Any, logits: Any = "last", names: Any = None, positions: Any = None) -> Any: ...

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
    def n_ctx_of_file(self) -> int: ...

    @property
    def d_vocab(self) -> int: ...

    @property
    def stop_ids(self) -> Sequence[int]: ...

    @property
    def tokenizer(self) -> Any: ...

    def session(self) -> Session: ...


class Prompt:
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

    def __init__(self, prompt: Prompt, sampler: Sampler, tokenizer: Any):
        settings, n_prompt = prompt.settings, len(prompt.ids)
        self.prompt, self.sampler, self.settings, self.tokenizer = prompt, sampler, settings, tokenizer
        self.session: Session | None = None
        self.decode_seconds = 0.0
        self.decode_tokens = 0
        self._stream: TextStream | None = tokenizer.stream(continuation=True) if tokenizer is not None else None
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
        logits.flags.writeable = False
        index, n_prompt = len(self._log), len(self.prompt.ids)
        seen = self._seen[: n_prompt + index]
        id, logprob, sampled_logprob = self.sampler.draw(
            logits, ids=seen if self.sampler.reads_history else (), step=index
        )
        source = Source(logits, self.sampler, seen, index, self.tokenizer) if self.settings.ledger else None
        text, reason = self._decode(id, index)
        step = Step(index, id, text, logprob, sampled_logprob, trace, source)
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
        # Decoded afresh from the ids: a token may have been pushed that never came into the log.
        stream, matcher = self.tokenizer.stream(continuation=True), StopMatcher(self.settings.stop)
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
            tokenizer=self.tokenizer,
        )
