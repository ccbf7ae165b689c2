"""Samplers: a visible list of stages that runs in the order written, then one draw.

A draw is a pure function of (logits, stages, seed, step): same arguments, same token, on any machine. Written out in
NumPy in `cutaway.reference.sampler`.
"""

from __future__ import annotations

import operator
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from . import _core
from .arguments import checked_arguments, described
from .errors import ArgumentError
from .ledger import DrawRecord, Explanation, Source, StageRecord


class TextCodec(Protocol):
    """What a sampler asks of a tokenizer."""

    def encode(self, text: str) -> np.ndarray: ...

    def decode(self, ids: Any) -> str: ...


@dataclass(frozen=True, repr=False)
class Stage:
    """One stage of a sampler: a frozen value, checked when it is made. `name` is its name in the ledger."""

    name: ClassVar[str]

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, _number(self.name, getattr(self, field.name)))
        _core.Sampler([self._spec()], 0)

    def _spec(self) -> tuple[str, list[float]]:
        return self.name, [float(getattr(self, field.name)) for field in fields(self)]

    def __repr__(self) -> str:
        values = ", ".join(repr(getattr(self, field.name)) for field in fields(self))
        return f"{type(self).__name__}({values})"


@checked_arguments
@dataclass(frozen=True, repr=False)
class RepetitionPenalty(Stage):
    """CTRL's penalty: logits of ids seen so far are divided by `penalty` where positive, else multiplied. 1 is off."""

    name: ClassVar[str] = "repetition_penalty"
    penalty: float


@checked_arguments
@dataclass(frozen=True, repr=False)
class PresencePenalty(Stage):
    """Subtracts `penalty` from the logit of every id seen so far, once. 0 is off; below 0 rewards repetition."""

    name: ClassVar[str] = "presence_penalty"
    penalty: float


@checked_arguments
@dataclass(frozen=True, repr=False)
class FrequencyPenalty(Stage):
    """Subtracts `penalty` times the number of times an id was seen from its logit. 0 is off."""

    name: ClassVar[str] = "frequency_penalty"
    penalty: float


@checked_arguments
@dataclass(frozen=True, repr=False)
class Temperature(Stage):
    """Divides every logit by `t`, 0 or greater. 0 is greedy: only the largest logit stays (ties: the lower id)."""

    name: ClassVar[str] = "temperature"
    t: float


@checked_arguments
@dataclass(frozen=True, repr=False)
class TopK(Stage):
    """Keeps the `k` largest logits; ties keep the lower id. 0 is off."""

    name: ClassVar[str] = "top_k"
    k: int


@checked_arguments
@dataclass(frozen=True, repr=False)
class TopP(Stage):
    """Keeps the smallest set of most probable candidates whose probabilities sum to `p` or more, `p` in (0, 1].

    Always at least one; ties take the lower id first; the probabilities are those over the candidates that the stages
    before it left. 1 is off.
    """

    name: ClassVar[str] = "top_p"
    p: float


@checked_arguments
@dataclass(frozen=True, repr=False)
class MinP(Stage):
    """Keeps candidates whose probability is at least `p` times the largest one, `p` in [0, 1]. 0 is off."""

    name: ClassVar[str] = "min_p"
    p: float


STAGES: dict[str, Callable[[Any], Stage]] = {
    stage.name: stage for stage in (RepetitionPenalty, PresencePenalty, FrequencyPenalty, Temperature, TopK, TopP, MinP)
}


@checked_arguments
class Sampler:
    """A chain of stages and a seed.

    >>> sampler = Sampler([Temperature(0.7), TopK(40), TopP(0.95)], seed=7)

    `stages` run in the order written. `seed` is in [0, 2^64); None picks one and records it in `sampler.seed`.
    Every method takes one row of `logits` [d_vocab], float32, float64 or float16, or whole numbers up to 2^53, which
    become float64; -inf marks a token that may not be drawn. `ids` are the token ids of the text so far, which
    penalties read (with `tokenizer`, also a str). `step` is the number of the draw: the same seed and step give the
    same u.
    """

    def __init__(self, stages: Iterable[Stage] = (), seed: int | None = None):
        chain = tuple(stages) if isinstance(stages, Iterable) else (stages,)
        for stage in chain:
            if not isinstance(stage, Stage):
                raise ArgumentError(
                    f"sampler: {stage!r} is not a stage. Write a list such as [ca.Temperature(0.7), ca.TopK(40)]."
                )
        self.stages: tuple[Stage, ...] = chain
        self.seed = check_seed(seed)
        self._core = _core.Sampler([stage._spec() for stage in chain], self.seed)

    @property
    def reads_history(self) -> bool:
        """Whether a stage reads `ids`."""
        return self._core.reads_history

    def with_seed(self, seed: int | None) -> Sampler:
        """The same stages with another seed."""
        return Sampler(self.stages, seed)

    def sample(self, logits: npt.ArrayLike, *, ids: Any = (), step: int = 0, tokenizer: TextCodec | None = None) -> int:
        """Draws one token id. The token is the first id, ascending, whose cumulative probability exceeds u."""
        return self._core.sample(_row(logits), _history(ids, tokenizer), _step(step))

    def probs(
        self, logits: npt.ArrayLike, *, ids: Any = (), step: int = 0, tokenizer: TextCodec | None = None
    ) -> np.ndarray:
        """The distribution that `sample` draws from: float64 [d_vocab], exactly 0 where removed. Equal at any step."""
        _step(step)
        return self._core.probs(_row(logits), _history(ids, tokenizer))

    def draw(self, logits: npt.ArrayLike, *, ids: Any = (), step: int = 0) -> tuple[int, float, float]:
        """`sample`, with natural log-probabilities: (id, before any stage, after all stages)."""
        return self._core.draw(_row(logits), _history(ids, None), _step(step))

    def explain(
        self, logits: npt.ArrayLike, *, ids: Any = (), step: int = 0, tokenizer: TextCodec | None = None
    ) -> Explanation:
        """The same draw with its ledger: what every stage did, and where u fell. `tokenizer` adds the token's text."""
        row, seen = _row(logits), _history(ids, tokenizer)
        stages, draw = self._core.explain(row, seen, _step(step))
        kept = row.copy() if row.flags.writeable else row  # a ledger outlives what its caller does with the array
        source = Source(kept, self, seen, step, tokenizer)
        return Explanation(
            stages=tuple(StageRecord(**stage) for stage in stages),
            draw=DrawRecord(**draw),
            text=source.text_of(draw["token"]),
            source=source,
        )

    def __repr__(self) -> str:
        return f"Sampler({list(self.stages)!r}, seed={self.seed})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sampler) and (self.stages, self.seed) == (other.stages, other.seed)

    def __hash__(self) -> int:
        return hash((self.stages, self.seed))

    def __reduce__(self) -> tuple[type[Sampler], tuple[tuple[Stage, ...], int]]:
        return Sampler, (self.stages, self.seed)


def check_seed(seed: int | None) -> int:
    """`seed` as an int in [0, 2^64); a picked one, short enough to write down, for None."""
    if seed is None:
        return secrets.randbits(32)
    return _integer("seed", seed)


def _step(step: int) -> int:
    return _integer("step", step)


def _integer(name: str, value: Any) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise ArgumentError(f"{name} must be a whole number, got {value!r}.") from None
    if isinstance(value, (bool, np.bool_)) or not 0 <= number < 2**64:
        raise ArgumentError(f"{name} must be a whole number from 0 to 2^64 - 1, got {value!r}.")
    return number


def _number(name: str, value: Any) -> float:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (Real, np.number)):
        raise ArgumentError(f"{name} must be a number, got {value!r}.")
    if isinstance(value, (int, np.integer)):
        if abs(int(value)) > 2**53:
            raise ArgumentError(f"{name} must be at most 2^53, got {value!r}.")
        return int(value)
    try:
        return float(value)
    except TypeError:
        raise ArgumentError(f"{name} must be a real number, got {value!r}.") from None


def _row(logits: npt.ArrayLike) -> np.ndarray:
    if isinstance(logits, (str, bytes)):
        raise ArgumentError("logits is text, expected one row of numbers [d_vocab], such as model(text)[-1].")
    try:
        row = np.asarray(logits)
    except ValueError as error:
        raise ArgumentError(f"logits are no array: {error}. Pass one row of numbers [d_vocab].") from None
    if row.dtype.kind not in "iu":
        return row
    if row.size and max(int(row.max()), -int(row.min())) > 2**53:
        raise ArgumentError(
            f"logits hold {max(row.max(), row.min(), key=lambda z: abs(int(z)))}, a whole number that float64 cannot "
            "tell from its neighbours: expected at most 2^53. Pass floats, logits.astype(float)."
        )
    return row.astype(np.float64)


def _history(ids: Sequence[int] | np.ndarray | str, tokenizer: TextCodec | None) -> np.ndarray:
    if tokenizer is not None and not hasattr(tokenizer, "decode"):
        raise ArgumentError(f"tokenizer must be one such as model.tokenizer, got {described(tokenizer)}.")
    if isinstance(ids, str):
        if tokenizer is None:
            raise ArgumentError("ids is text, and there is no tokenizer to encode it. Pass tokenizer=, or token ids.")
        ids = tokenizer.encode(ids)
    try:
        array = np.asarray(ids)
    except ValueError:  # a ragged list
        array = np.asarray(None)
    if array.size == 0:
        return np.empty(0, np.int64)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise ArgumentError(
            f"ids must be whole numbers in one dimension, got {described(array if array.ndim else ids)}."
        )
    return array
