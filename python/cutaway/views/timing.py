"""A profile as a picture: prefill reads the weights once for all tokens, decode once for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..numbers import sized
from .page import View, counted, escape, wide
from .table import html_table, plain_text, text_table

if TYPE_CHECKING:
    from ..profile import PhaseTime, Profile, StageTime

_STYLE = """
.ca svg.time{display:block;width:100%;min-width:44em;margin:.4em 0;font:12px ui-monospace,monospace}
.ca svg.time text{fill:var(--fg)}.ca svg.time rect{fill:var(--hi);stroke:var(--line)}
.ca svg.time rect.of{fill:var(--lo)}.ca svg.time line{stroke:var(--line)}
"""
_COLUMNS = ("phase", "ms per pass", "% of time", "GFLOP/s", "% of peak", "GB/s", "% of bandwidth")
_STEPS = 12  # decode steps drawn
_NOTE = (
    "FLOP counted for linear layers and attention, a multiply-add as two; bytes of weights and KV cache, each once a "
    "pass. Peak and bandwidth were measured on this machine just now; caches can give more than the bandwidth."
)


def profile_text(p: Profile) -> str:
    """The same figures for a terminal."""
    parts = [f"profile: {p.about}", _limits(p)]
    for stage in p.stages:
        parts += ["", _summary(p, stage), text_table(_COLUMNS, _rows(p, stage))]
    return "\n".join([*parts, "", _NOTE])


def profile_view(p: Profile) -> View:
    """Time to the right, tokens downwards: one wide step for the whole prompt, then one step for each new token."""
    tables = "".join(
        f"<p>{escape(_summary(p, stage))}</p>{html_table(_COLUMNS, _rows(p, stage))}" for stage in p.stages
    )
    body = (
        f"<h4>Profile</h4><p class=dim>{escape(p.about)}. {escape(_limits(p))}</p>{wide(_picture(p), 'timeline')}"
        f"{tables}<p class=dim>{escape(_NOTE)}</p>"
    )
    return View("Profile", body, lambda: plain_text(profile_text(p)), style=_STYLE, records=p.records)


def _limits(p: Profile) -> str:
    flops, read = p.limits.flops / 1e9, p.limits.bandwidth / 1e9
    return f"This machine: {flops:,.0f} GFLOP/s of such arithmetic, {read:,.1f} GB/s read."


def _summary(p: Profile, stage: StageTime) -> str:
    how = "all at once" if stage.passes == 1 else "one after the other"
    price = "" if p.price_per_hour is None else f"; 1,000 tokens cost {stage.cost(p.price_per_hour):.3g}"
    return (
        f"{stage.name}: {counted(stage.tokens, 'token')} {how} in {stage.seconds * 1e3:,.1f} ms, "
        f"{stage.tokens_per_second:,.1f} tokens/s; {stage.flops / stage.tokens / 1e9:.3g} GFLOP and "
        f"{sized(round(stage.bytes / stage.tokens))} read per token; {100 * p.of_peak(stage):.0f} % of peak, "
        f"{100 * p.of_bandwidth(stage):.0f} % of bandwidth{price}"
    )


def _rows(p: Profile, stage: StageTime) -> list[tuple[str, ...]]:
    total = sum(part.seconds for part in stage.phases) or 1.0

    def row(part: PhaseTime) -> tuple[str, ...]:
        rate = 1 / part.seconds if part.seconds else 0.0
        return (
            part.phase,
            f"{part.seconds / stage.passes * 1e3:,.3f}",
            f"{100 * part.seconds / total:.1f}",
            f"{part.flops * rate / 1e9:,.1f}",
            f"{100 * p.of_peak(part):.1f}",
            f"{part.bytes * rate / 1e9:,.2f}",
            f"{100 * p.of_bandwidth(part):.1f}",
        )

    return [row(part) for part in stage.by_phase()]


def _picture(p: Profile) -> str:
    """SVG 860 x 190: the staircase of time at the left, utilisation bars at the right."""
    drawn = min(_STEPS, p.decode.passes)
    step = p.decode.seconds / p.decode.passes
    scale = 470 / (p.prefill.seconds + drawn * step)
    first, each = p.prefill.seconds * scale, step * scale
    height = 120.0 / drawn
    parts = [
        f"<rect x=10 y=30 width={first:.1f} height=120><title>prefill: {counted(p.prefill.tokens, 'token')} in "
        f"{p.prefill.seconds * 1e3:.1f} ms</title></rect>",
        f"<text x=10 y=20>prefill: {counted(p.prefill.tokens, 'token')} side by side</text>",
        f"<text x=10 y=172>{p.prefill.seconds * 1e3:,.1f} ms</text>",
        f"<text x=480 y=188 text-anchor=end>decode: {counted(drawn, 'token')} in turn, "
        f"{step * 1e3:,.1f} ms each</text>",
    ]
    for i in range(drawn):
        parts.append(
            f"<rect x={10 + first + i * each:.1f} y={30 + i * height:.1f} width={max(each, 0.5):.2f} "
            f"height={height:.1f} />"
        )
    for i, stage in enumerate(p.stages):
        y = 30 + 70 * i
        parts.append(f"<text x=520 y={y - 8}>{stage.name}</text>")
        for j, (name, value) in enumerate((("arithmetic", p.of_peak(stage)), ("reading", p.of_bandwidth(stage)))):
            top = y + 22 * j
            parts.append(
                f"<text x=520 y={top + 13}>{name}</text><rect class=of x=610 y={top} width=180 height=16 />"
                f"<rect x=610 y={top} width={180 * min(value, 1.0):.1f} height=16 />"
                f"<text x=798 y={top + 13}>{100 * value:.0f} %</text>"
            )
    label = escape(f"{_summary(p, p.prefill)}. {_summary(p, p.decode)}")
    return f'<svg class=time viewBox="0 0 860 196" role=img aria-label="{label}">{"".join(parts)}</svg>'
