"""A generated text, token by token: how sure the model was of each, and what else it held possible."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arguments import checked_arguments, described
from ..errors import ArgumentError
from ..numbers import whole
from .alternatives import STYLE as BARS
from .alternatives import Alternatives, alternatives, bars, line
from .chips import STYLE, Chip, TokenNames, flow, flow_text, marked, scale, window
from .page import View, escape, percent
from .table import text_table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..generation import Generation, Step

SHOWN = 200  # tokens at once by default: with five alternatives each, a page below 200 KB
_PROMPT = 60  # tokens of the prompt before them
_FACTS = ".ca .facts th{font-weight:400;padding-right:1em}.ca .facts td{white-space:normal}"


@checked_arguments
def tokens(out: Generation, color: str = "probability", start: int = 0, count: int = SHOWN, top: int = 5) -> View:
    """The tokens of a generation, coloured by the model's probability of each or by its entropy there.

    Hover, or Tab to, a token for its id, log-probabilities, rank, entropy and the `top` most probable alternatives, all
    before any sampler stage unless it says otherwise; without a ledger (`ledger=False`) what is known without logits.
    color: "probability" or "entropy", whose scale ends at the largest that is shown. start, count: which of the new
    tokens; the prompt's end stands before the first.
    """
    from ..generation import Generation

    if not isinstance(out, Generation):
        hint = "views.tokens(out[0])" if isinstance(out, list) else "model.generate(...), or the result of a stream"
        raise ArgumentError(f"views.tokens shows one Generation, got {described(out)}; pass {hint}.")
    if color not in ("probability", "entropy"):
        raise ArgumentError(f"color is {color!r}, expected 'probability' or 'entropy'.")
    top = whole("top", top, 0, 20)
    names = TokenNames(out.tokenizer)
    shown, said = window(len(out.steps), start, count, "new tokens")
    found = {i: _alternatives(out.steps[i], top) for i in shown}
    if color == "entropy":
        entropies = {i: _entropy(out.steps[i], a) for i, a in found.items()}
        most = max([*entropies.values(), 1e-9])
        shares = {i: entropy / most for i, entropy in entropies.items()}
        legend = scale("entropy (nats)", [f"{most * i / 4:.2g}" for i in range(5)])
    else:
        shares = {i: float(np.exp(out.steps[i].logprob)) for i in shown}
        legend = scale("probability", ["0 %", "25 %", "50 %", "75 %", "100 %"])
    n_prompt = len(out.prompt_ids)
    chips = [_prompt_chip(names, at, int(out.prompt_ids[at])) for at in _shown_prompt(n_prompt, shown)]
    chips += [_chip(names, out.steps[i], found[i], shares[i], n_prompt) for i in shown]
    hidden = n_prompt - _PROMPT if shown.start == 0 else 0
    before = f"<small>… {hidden:,} tokens of the prompt …</small><br>" if hidden > 0 else ""
    rows = "".join(f"<tr><th>{name}</th><td>{escape(value)}</td></tr>" for name, value in out.facts())
    text = flow([chip.html() for chip in chips], _HINT, max(5, top), before)
    body = (
        f"<h4>Generated tokens</h4>{legend}{text}<p class=dim>{said}; the prompt is grey</p>"
        f"<table class=facts>{rows}</table>"
    )
    style = STYLE + BARS + _FACTS
    return View(
        "Generated tokens",
        body,
        lambda: _terminal(out, names, chips, shown, said, found),
        style=style,
        records=out.records,
    )


_HINT = "Point at a token, or press Tab: its probability, its rank, and what else could have come."


def _shown_prompt(n_prompt: int, shown: range) -> range:
    return range(max(n_prompt - _PROMPT, 0), n_prompt) if shown.start == 0 else range(0)


def _alternatives(step: Step, top: int) -> Alternatives | None:
    return None if step.source is None else alternatives(step.logits, step.id, top)


def _entropy(step: Step, found: Alternatives | None) -> float:
    if found is None:
        step.explain()  # raises, and says what to do
    assert found is not None
    return found.entropy


def _prompt_chip(names: TokenNames, at: int, id: int) -> Chip:
    return names.chip(id, f"<div>{names.heading(id)}prompt, position {at}</div>", kind="dim")


def _chip(names: TokenNames, step: Step, found: Alternatives | None, share: float, n_prompt: int) -> Chip:
    facts = [
        f"step {step.index}, position {n_prompt + step.index}<br>",
        _logs("model", step.logprob),
        _logs("sampler", step.sampled_logprob),
    ]
    if found is None:
        facts.append("rank and alternatives: generate with ledger=True")
    else:
        facts.append(f"rank {found.rank:,}, entropy {found.entropy:.2f} nats")
    right = "" if found is None else bars(found, names)
    return names.chip(step.id, f"<div>{names.heading(step.id)}{''.join(facts)}</div>{right}", share)


def _logs(whose: str, logprob: float) -> str:
    return f"{whose}: P {percent(float(np.exp(logprob)))}, log P {logprob:.3f}<br>"


def _terminal(
    out: Generation,
    names: TokenNames,
    chips: list[Chip],
    shown: range,
    said: str,
    found: dict[int, Alternatives | None],
) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    rows = []
    for i in shown:
        step, a = out.steps[i], found[i]
        known = ("", "", "") if a is None else (f"{a.rank:,}", f"{a.entropy:.2f}", line(a, names))
        p, q = percent(float(np.exp(step.logprob))), percent(float(np.exp(step.sampled_logprob)))
        token = marked(names.quoted(step.id))
        rows.append((str(i), token, str(step.id), p.rjust(10), f"{step.logprob:.3f}", q.rjust(11), *known))
    return Group(flow_text(chips), Text(said, "dim"), Text(text_table(_COLUMNS, rows)) if rows else "")


_COLUMNS = ("step", "token", "id", "P", "log P", "sampler's P", "rank", "entropy", "most probable")
