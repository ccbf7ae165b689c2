"""What a sampler did at one step: every stage, then the draw. Made by `Sampler.explain`; numbers, no arrays."""

from __future__ import annotations

from dataclasses import dataclass


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


@dataclass(frozen=True)
class Explanation:
    """The ledger of one step: `stages` in the order they ran, then `draw`; `text` is the token's text if known."""

    sampler: str
    step: int
    d_vocab: int
    stages: tuple[StageRecord, ...]
    draw: DrawRecord
    text: str | None = None

    def __repr__(self) -> str:
        rows = [("stage", "candidates", "mass removed", "entropy (nats)", "top probability")]
        for s in self.stages:
            rows.append(
                (
                    " ".join([s.name, *(f"{value:g}" for value in s.values)]),
                    f"{s.candidates_in} -> {s.candidates_out}",
                    f"{s.mass_removed:.4f}",
                    f"{s.entropy_before:.3f} -> {s.entropy_after:.3f}",
                    f"{s.top_before:.4f} -> {s.top_after:.4f}",
                )
            )
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        d = self.draw
        token = f"token {d.token}" + ("" if self.text is None else f" {self.text!r}")
        return "\n".join(
            [
                f"{self.sampler}, step {self.step}",
                *(table if self.stages else ["no stages: the model's own distribution"]),
                f"draw: u = {d.u:.6f} lies in [{d.low:.6f}, {d.high:.6f}) of {token}",
                f"      probability {d.probability:.4f} (log {d.sampled_logprob:.4f}) after all stages; "
                f"{d.probability_before:.4f} (log {d.logprob:.4f}, rank {d.rank_before} of {self.d_vocab}) before any",
            ]
        )
