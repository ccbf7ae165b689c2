"""Where the time of a call goes: prefill and decode apart, each phase of each layer, beside what the machine can do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from .arguments import checked_arguments
from .errors import ArgumentError
from .numbers import whole
from .views.shown import Shown

Row = tuple[str, int, float, float, float]  # of the engine: phase, layer or -1, seconds, FLOP, bytes

if TYPE_CHECKING:
    from .model import Model
    from .views.page import View


@dataclass(frozen=True)
class Limits:
    """What this machine did at best, measured for this model: its threads, instruction set, compute mode and size.

    The profile itself counts too: where a call got more done than the measurement behind it, because another process
    then took the cores, the limit is what the call did. So no share of the peak is above 100 %, nor that of the
    bandwidth in prefill or decode as a whole; a phase whose data lie in a cache can read faster than that.
    """

    flops: float
    """FLOP/s of the arithmetic its linear layers use, on registers alone; a multiply-add is two."""
    bandwidth: float
    """Bytes/s of reading a buffer of the weights' size."""

    def at_least(self, stages: Sequence[StageTime]) -> Limits:
        """No lower than what these achieved."""
        phases = [p for stage in stages for p in stage.phases if p.seconds]
        return Limits(
            max([self.flops, *(p.flops / p.seconds for p in phases)]),
            max([self.bandwidth, *(stage.bytes / stage.seconds for stage in stages)]),
        )


@dataclass(frozen=True)
class PhaseTime:
    """One phase of the model, such as attention in layer 3. Counted: the work; measured: the seconds.

    Phases that each thread runs one after the other on rows of its own share the time of all of them, in proportion to
    what each took on all threads together.
    """

    phase: str
    layer: int | None
    seconds: float
    flops: float
    """Of linear layers and attention; a multiply-add is two."""
    bytes: float
    """Of weights and KV cache, each read once a pass."""


@dataclass(frozen=True)
class StageTime:
    """Prefill or decode: `tokens` in `passes` passes through the model."""

    name: str
    tokens: int
    passes: int
    seconds: float
    """Of the passes as the caller sees them; the phases leave out what lies between them."""
    phases: tuple[PhaseTime, ...]

    @property
    def flops(self) -> float:
        return sum(p.flops for p in self.phases)

    @property
    def bytes(self) -> float:
        return sum(p.bytes for p in self.phases)

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds

    def by_phase(self) -> list[PhaseTime]:
        """The layers added up, in the order in which they run."""
        return _added(self.phases, lambda p: (p.phase, None))

    def by_layer(self) -> list[PhaseTime]:
        """The phases of each layer added up; what belongs to no layer last."""
        rows = _added(self.phases, lambda p: ("layer" if p.layer is not None else p.phase, p.layer))
        return sorted(rows, key=lambda p: p.layer is None)

    def cost(self, price_per_hour: float) -> float:
        """Of 1,000 tokens, on a machine that costs so much an hour, in the same currency."""
        return price_per_hour / 3600 * 1000 / self.tokens_per_second


def _added(phases: Sequence[PhaseTime], key: Any) -> list[PhaseTime]:
    rows: dict[tuple[str, int | None], list[float]] = {}
    for p in phases:
        row = rows.setdefault(key(p), [0.0, 0.0, 0.0])
        for i, value in enumerate((p.seconds, p.flops, p.bytes)):
            row[i] += value
    return [PhaseTime(phase, layer, *row) for (phase, layer), row in rows.items()]


@checked_arguments
class Profile(Shown):
    """What `model.profile` returns. Its text and its picture say why prefill is fast and decode is not."""

    def __init__(
        self, prefill: StageTime, decode: StageTime, limits: Limits, about: str, price_per_hour: float | None
    ) -> None:
        self.prefill, self.decode, self.limits = prefill, decode, limits
        self.about, self.price_per_hour = about, price_per_hour

    @property
    def stages(self) -> tuple[StageTime, StageTime]:
        return self.prefill, self.decode

    def records(self) -> list[dict[str, Any]]:
        """One per stage, phase and layer; per_cent_of_peak, which is at most 100, and per_cent_of_bandwidth beside the
        limits."""
        return [
            {
                "stage": stage.name,
                "phase": p.phase,
                "layer": p.layer,
                "seconds": p.seconds,
                "flops": p.flops,
                "bytes": p.bytes,
                "flops_per_second": p.flops / p.seconds if p.seconds else 0.0,
                "bytes_per_second": p.bytes / p.seconds if p.seconds else 0.0,
                "per_cent_of_peak": 100 * self.of_peak(p),
                "per_cent_of_bandwidth": 100 * self.of_bandwidth(p),
            }
            for stage in self.stages
            for p in stage.phases
        ]

    def of_peak(self, p: PhaseTime | StageTime) -> float:
        """Share of the arithmetic that the machine could have done in that time."""
        return p.flops / p.seconds / self.limits.flops if p.seconds else 0.0

    def of_bandwidth(self, p: PhaseTime | StageTime) -> float:
        """Share of the bytes that it could have read in that time."""
        return p.bytes / p.seconds / self.limits.bandwidth if p.seconds else 0.0

    def view(self) -> View:
        from .views.timing import profile_view

        return profile_view(self)

    def __repr__(self) -> str:
        from .views.timing import profile_text

        return profile_text(self)


def measure(model: Model, x: Any, max_new_tokens: int, price_per_hour: float | None) -> Profile:
    """Runs the prompt once to warm up and once to measure, then `max_new_tokens` greedy steps behind it."""
    n = whole("max_new_tokens", max_new_tokens, 1)
    if price_per_hour is not None and not (isinstance(price_per_hour, (int, float)) and 0 <= price_per_hour < np.inf):
        raise ArgumentError(f"price_per_hour must be a number, 0 or greater, got {price_per_hour!r}.")
    ids = model._ids(x, "the prompt")
    core = model._core
    _core.check_length("the text", 0, len(ids) + n, model.n_ctx, model.n_ctx_of_file)
    prefill_seconds = np.inf
    for _ in range(2):  # the first warms the pools and the caches
        session = core.session()
        rows: list[Row] = []
        began = time.perf_counter()
        ((logits,), _) = core.forward([session], [ids], "last", [], {}, [], rows)
        if (seconds := time.perf_counter() - began) < prefill_seconds:
            prefill_seconds, prefill = seconds, rows
    steps: list[Row] = []
    decode_seconds = 0.0
    for _ in range(n):
        token = logits[-1].argmax(keepdims=True).astype(np.int32)
        rows = []
        began = time.perf_counter()
        ((logits,), _) = core.forward([session], [token], "last", [], {}, [], rows)
        decode_seconds += time.perf_counter() - began
        steps += rows
    about = f"{len(ids)} tokens of prompt, {n} steps; {core.compute}, {core.isa}, " + (
        "1 thread" if core.threads == 1 else f"{core.threads} threads"
    )
    stages = (
        StageTime("prefill", len(ids), 1, prefill_seconds, _phases(prefill)),
        StageTime("decode", n, n, decode_seconds, _phases(steps)),
    )
    return Profile(*stages, ceilings(model).at_least(stages), about, price_per_hour)


def ceilings(model: Model) -> Limits:
    """Measures them, now."""
    core = model._core
    f32, int8, bandwidth = _core.measure_limits(core.isa, core.threads, core.packed_bytes)
    return Limits(int8 if core.compute == "int8" else f32, bandwidth)


def _phases(rows: Sequence[Row]) -> tuple[PhaseTime, ...]:
    named = [PhaseTime(label, None if layer < 0 else layer, *numbers) for label, layer, *numbers in rows]
    did = [p for p in _added(named, lambda p: (p.phase, p.layer)) if p.flops or p.bytes]
    return tuple(did)
