"""What a sampler did, in numbers: every stage of a step, then the draw; and the ledger of a whole text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .arguments import checked_arguments
from .probabilities import softmax_and_entropy
from .views.shown import Shown, frame
from .views.table import Table, text_table

if TYPE_CHECKING:
    from .sampler import Sampler
    from .views.page import View


STAGE_COLUMNS = ("stage", "candidates", "mass removed", "entropy (nats)", "top probability")


@dataclass(frozen=True)
class StageRecord:
    """One stage. Entropies are in nats; probabilities are the softmax over the candidates of that moment."""

    name: str
    values: tuple[float, ...]
    candidates_in: int
    candidates_out: int
    mass_removed: float
    """Probability, before the stage, of the candidates that it removed."""
    entropy_before: float
    entropy_after: float
    top_before: float
    """The largest probability before the stage."""
    top_after: float


@dataclass(frozen=True)
class DrawRecord:
    """The draw: `u` falls into `[low, high)` of the cumulative distribution over ascending token ids."""

    u: float
    low: float
    high: float
    token: int
    probability: float
    """After all stages: the length of the interval."""
    probability_before: float
    """Before any stage."""
    rank_before: int
    """1 is the most probable token before any stage; of equal logits the lower id comes first."""
    logprob: float
    """Natural log-probability before any stage."""
    sampled_logprob: float
    """Natural log-probability after all stages."""


@dataclass(frozen=True, eq=False)
class Source:
    """What a token was drawn from. The same source gives the same token, and its ledger, at any time."""

    logits: np.ndarray
    """[d_vocab], as the model gave them."""
    sampler: Sampler
    seen: np.ndarray
    """The ids that penalties read, int [n]."""
    step: int
    tokenizer: Any = None

    def text_of(self, id: int) -> str | None:
        """A token as readable text; None where there is no tokenizer."""
        return token_text(self.tokenizer, id)


def token_text(tokenizer: Any, id: int) -> str | None:
    """A token as readable text; None where there is no tokenizer."""
    if tokenizer is None:
        return None
    if hasattr(tokenizer, "tokens"):
        return str(tokenizer.tokens([id])[0])
    return str(tokenizer.decode([id]))


@checked_arguments
@dataclass(frozen=True, repr=False)
class Explanation(Shown):
    """The ledger of one step: `stages` in the order they ran, then `draw`; `text` is the token's text if known."""

    stages: tuple[StageRecord, ...]
    draw: DrawRecord
    text: str | None
    source: Source

    @property
    def step(self) -> int:
        """The number of the draw."""
        return self.source.step

    @property
    def token(self) -> int:
        """The id that was drawn."""
        return self.draw.token

    @property
    def candidates(self) -> int:
        """How many tokens could still be drawn after all stages."""
        return self.stages[-1].candidates_out if self.stages else int((self.source.logits > -np.inf).sum())

    @property
    def entropies(self) -> tuple[float, float]:
        """Entropy in nats before any stage and after all; equal where there are no stages."""
        if self.stages:
            return self.stages[0].entropy_before, self.stages[-1].entropy_after
        own = softmax_and_entropy(self.source.logits)[1]
        return own, own

    def stage_cells(self) -> list[tuple[str, ...]]:
        """The stages as text, one cell per column of STAGE_COLUMNS."""
        return [
            (
                " ".join([s.name, *(f"{value:g}" for value in s.values)]),
                f"{s.candidates_in:,} → {s.candidates_out:,}",
                f"{s.mass_removed:.4f}",
                f"{s.entropy_before:.3f} → {s.entropy_after:.3f}",
                f"{s.top_before:.4f} → {s.top_after:.4f}",
            )
            for s in self.stages
        ]

    def draw_lines(self) -> list[str]:
        """The draw in three sentences."""
        d = self.draw
        token = f"token {d.token}" + ("" if self.text is None else f" {self.text!r}")
        return [
            f"draw: u = {d.u:.6f} lies in [{d.low:.6f}, {d.high:.6f}) of {token}",
            f"after all stages: probability {d.probability:.4f}, log-probability {d.sampled_logprob:.4f}",
            f"before any stage: probability {d.probability_before:.4f}, log-probability {d.logprob:.4f}, "
            f"rank {d.rank_before:,} of {self.source.logits.size:,}",
        ]

    def __repr__(self) -> str:
        rows = self.stage_cells()
        table = text_table(STAGE_COLUMNS, rows) if rows else "no stages: the model's own distribution"
        return "\n".join([f"{self.source.sampler}, step {self.step}", table, *self.draw_lines()])

    def records(self) -> list[dict[str, Any]]:
        """One per stage: step, stage, its setting as value, then the other fields of StageRecord."""
        return stage_records([self])

    def view(self, top: int = 10) -> View:
        """Bars of the `top` most probable tokens before and after each stage, and the draw."""
        from .views.sampling import explanation

        return explanation(self, top)


@checked_arguments
class Ledger(Table[Explanation]):
    """The ledger of a whole text: `ledger[i]` explains step i. Shows one line per step."""

    title = "Sampler ledger"
    one = "step"
    columns = ("step", "token", "candidates", "entropy (nats)", "u", "interval of u", "rank", "log P", "log P'")
    note = (
        "entropy: before any stage → after all; the interval of u is the token's part of the cumulative distribution "
        "over ascending ids; rank and log P are before any stage, log P' after all"
    )

    def cells(self, row: Explanation) -> tuple[str, ...]:
        d = row.draw
        return (
            str(row.step),
            str(d.token) if row.text is None else repr(row.text),
            f"{row.candidates:,}",
            " → ".join(f"{entropy:.3f}" for entropy in row.entropies),
            f"{d.u:.4f}",
            f"[{d.low:.4f}, {d.high:.4f})",
            f"{d.rank_before:,}",
            f"{d.logprob:.3f}",
            f"{d.sampled_logprob:.3f}",
        )

    def records(self) -> list[dict[str, Any]]:
        """One per step: step, text, the draw, candidates left, entropies before any and after all stages in nats."""
        return [
            {
                "step": e.step,
                "text": e.text,
                **asdict(e.draw),
                "candidates": e.candidates,
                "entropy_before": before,
                "entropy_after": after,
            }
            for e in self
            for before, after in [e.entropies]
        ]

    def to_pandas(self, stages: bool = False) -> Any:
        """A DataFrame: one row per step (see `records`), or with stages=True one row per step and stage."""
        return frame(stage_records(self) if stages else self.records())


def stage_records(steps: Sequence[Explanation]) -> list[dict[str, Any]]:
    """One per step and stage: the fields of StageRecord, its setting as `value`."""
    return [{"step": e.step, **stage_record(s)} for e in steps for s in e.stages]


def stage_record(s: StageRecord) -> dict[str, Any]:
    """A stage as plain values: its name as `stage`, its setting as `value`, then what it did."""
    fields = asdict(s)
    name, values = fields.pop("name"), fields.pop("values")
    return {"stage": name, "value": values[0] if values else None, **fields}
