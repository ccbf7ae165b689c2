"""What `generate` returns: a Step per token, and the Generation that holds them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

import numpy as np

from .arguments import checked_arguments, item
from .errors import ArgumentError
from .ledger import Explanation, Ledger, Source, token_text
from .sampler import Sampler, Stage
from .views.shown import Shown

if TYPE_CHECKING:
    from .views.page import View


@checked_arguments
@dataclass
class Step:
    """One generated token.

    `text` is the piece of text that became safe to show with this token: the pieces of all steps make up `out.text`. It
    may be empty (half a character, a possible stop string, a stop token), and is None where there is no tokenizer.
    """

    index: int
    id: int
    text: str | None
    logprob: float
    """Natural log-probability before any sampler stage."""
    sampled_logprob: float
    """Natural log-probability after all sampler stages."""
    trace: Any = None
    """With `names=`: the activations of the position that chose this token."""
    source: Source | None = field(default=None, repr=False)
    """What the token was drawn from, where the ledger is kept."""

    @property
    def logits(self) -> np.ndarray:
        """The row this token was drawn from, float32 [d_vocab], before any stage."""
        return self._source().logits

    def explain(self) -> Explanation:
        """The sampler ledger of this step: what every stage did, and where the draw fell."""
        s = self._source()
        return s.sampler.explain(s.logits, ids=s.seen, step=s.step, tokenizer=s.tokenizer)

    def resample(self, sampler: Sampler | Iterable[Stage] | None = None, *, seed: int | None = None) -> Explanation:
        """What would have come out here with another sampler, or another seed; no forward pass.

        sampler: a Sampler with its own seed, or a list of stages that keeps this generation's. `.token`, `.text` and
        `.draw` of the result say what was drawn; the text that follows is not generated anew.
        """
        s = self._source()
        if sampler is None:
            other = s.sampler
        elif isinstance(sampler, Sampler):
            other = sampler
        else:
            other = Sampler(sampler, s.sampler.seed)
        if seed is not None:
            other = other.with_seed(seed)
        return other.explain(s.logits, ids=s.seen, step=s.step, tokenizer=s.tokenizer)

    def _source(self) -> Source:
        if self.source is None:
            raise ArgumentError(
                "The logits of this step were not kept, so there is no ledger. Generate with ledger=True to keep them: "
                "a row of the vocabulary per token."
            )
        return self.source


class Steps(list[Step]):
    """The steps of a generation: a list whose index errors say how many there are."""

    @overload
    def __getitem__(self, index: SupportsIndex) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> list[Step]: ...
    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(index) if isinstance(index, slice) else item([*self], index, "step")


@checked_arguments
@dataclass(frozen=True, repr=False)
class Generation(Shown):
    """The result of `generate` for one prompt."""

    text: str | None
    """The generated text, without stop token and stop string; None where there is no tokenizer."""
    steps: list[Step]
    prompt_ids: np.ndarray
    """int32 [n_prompt], as used."""
    seed: int
    finish_reason: str
    """"stop" (a stop token or string) | "length" (max_new_tokens) | "context" (the session is full) | "interrupted"."""
    fingerprint: str
    """BLAKE2b-128 of the float32 logits rows sampled from, the prompt ids and the new ids."""
    timings: dict[str, float]
    """prefill_seconds, prefill_tokens, decode_seconds, decode_tokens, tokens_per_second.

    Decoding begins when the prompt's logits are there. Its tokens are those that went through the model again, one
    fewer than were drawn; tokens_per_second counts these. In a batch every row is charged the whole batch's seconds.
    """
    settings: dict[str, Any]
    """What was in force: max_new_tokens, stop, stop_ids, n_ctx, ledger, sampler."""
    tokenizer: Any = field(default=None, compare=False)
    """What the text was decoded with; None where there is none."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", Steps(self.steps))

    @cached_property
    def ids(self) -> np.ndarray:
        """The new token ids, int32 [n], with the stop token if one was drawn."""
        return np.asarray([step.id for step in self.steps], np.int32)

    @cached_property
    def logprobs(self) -> np.ndarray:
        """Natural log-probabilities of the new ids before any sampler stage, float64 [n]."""
        return np.asarray([step.logprob for step in self.steps], np.float64)

    @cached_property
    def sampled_logprobs(self) -> np.ndarray:
        """Natural log-probabilities of the new ids after all sampler stages, float64 [n]."""
        return np.asarray([step.sampled_logprob for step in self.steps], np.float64)

    def __len__(self) -> int:
        return len(self.steps)

    def ledger(self) -> Ledger:
        """The sampler ledger of the whole text. ArgumentError where it was not kept (`settings["ledger"]`)."""
        return Ledger([step.explain() for step in self.steps])

    def facts(self) -> list[tuple[str, str]]:
        """What stands below the text: names and values."""
        t = self.timings
        return [
            ("tokens", f"{len(self.prompt_ids)} prompt, {len(self.steps)} new, finish_reason {self.finish_reason!r}"),
            ("sampler", repr(self.settings["sampler"])),
            ("time", f"prefill {t['prefill_seconds']:.3f} s, decode {t['decode_seconds']:.3f} s, "
             f"{t['tokens_per_second']:.1f} tok/s"),
            ("fingerprint", self.fingerprint),
        ]  # fmt: skip

    def __repr__(self) -> str:
        shown = repr(self.ids.tolist()) if self.text is None else self.text
        return "\n".join([shown, *(f"[{name}: {value}]" for name, value in self.facts())])

    def records(self) -> list[dict[str, Any]]:
        """One per new token: step, id, its text, and both log-probabilities. The ledger's have more."""
        return [
            {
                "step": step.index,
                "id": step.id,
                "text": token_text(self.tokenizer, step.id),
                "logprob": step.logprob,
                "sampled_logprob": step.sampled_logprob,
            }
            for step in self.steps
        ]

    def view(self) -> View:
        """The tokens, coloured by probability: `cutaway.views.tokens`."""
        from .views.generated import tokens

        return tokens(self)
