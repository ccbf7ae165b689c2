"""What each token of a text cost a model: -log P token by token, the number that training makes small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from ..arguments import checked_arguments
from ..errors import ArgumentError, FormatError
from ..numbers import whole
from .alternatives import STYLE as BARS
from .alternatives import Alternatives, alternatives, bars, line
from .chips import STYLE, Chip, TokenNames, flow, flow_text, marked, scale, window
from .given import model_of
from .page import View, counted, percent
from .table import text_table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..model import Model

SHOWN = 200
_FORMULA = ".ca .formula{font-family:Georgia,serif;font-size:1.05em}.ca .formula sub{font-size:.75em}"
_HINT = "Point at a token, or press Tab: its loss, its rank, and what the model held more probable."


@dataclass(frozen=True)
class _Scored:
    ids: np.ndarray
    losses: np.ndarray
    """float64 [n - 1]: losses[t - 1] is the loss of token t."""
    found: dict[int, Alternatives]
    n_bytes: int | None
    """Bytes of text that the scored tokens add, control tokens not counted; None where there is no tokenizer."""

    def records(self, names: TokenNames) -> list[dict[str, Any]]:
        """One per token of the whole text: position, id, text, loss in nats; the first, only given, has NaN."""
        costs = [np.nan, *self.losses.tolist()]
        return [
            {"position": t, "id": id, "text": names.text(id), "loss": cost}
            for t, (id, cost) in enumerate(zip(self.ids.tolist(), costs, strict=True))
        ]

    def facts(self) -> list[str]:
        n, total = len(self.losses), float(self.losses.sum())
        mean = total / n
        said = [f"mean over {counted(n, 'token')} = {mean:.4f} nats", f"perplexity = exp(mean) = {np.exp(mean):,.2f}"]
        if self.n_bytes:
            per_byte = total / np.log(2) / self.n_bytes
            said.append(f"{per_byte:.3f} bits per byte ({counted(self.n_bytes, 'byte')})")
        return said


@checked_arguments
def loss(model: Model, x: Any, start: int = 0, count: int = SHOWN, top: int = 5) -> View:
    """The loss of every token of a text: loss_t = -log P(x_t | x_<t) in nats, coloured by it; its mean, the perplexity
    exp(mean), and bits per byte of text.

    x: text, encoded as `model.score` does, or ids; at least 2 tokens. The first is only given. start, count: which
    tokens to show; means, and `.to_pandas()`, are over the whole text. Hover, or Tab to, a token for its rank and the
    `top` alternatives.
    """
    prompts, is_batch = model_of(model, "views.loss(model, text)")._prompts(x)
    if is_batch:
        raise ArgumentError(f"views.loss shows one text, got a list of {len(prompts)}; call it for each.")
    (ids,) = prompts
    if len(ids) < 2:
        raise ArgumentError(f"views.loss needs at least 2 tokens, got {len(ids)}: the first one is only given.")
    shown, said = window(len(ids), start, count)
    try:
        tokenizer = model.tokenizer
    except FormatError:
        tokenizer = None
    names, top = TokenNames(tokenizer), whole("top", top, 0, 20)
    scored = _score(model, ids, shown, top, tokenizer)
    most = float(max(scored.losses.max(), 1e-9))
    chips = [_chip(names, scored, at, most) for at in shown]
    legend = scale("loss (nats)", [f"{most * i / 4:.3g}" for i in range(5)])
    note = f"{said}; the first token is only given" if shown.start == 0 else said
    shown_text = flow([chip.html() for chip in chips], _HINT, max(5, top))
    body = (
        "<h4>Loss per token</h4><p class=formula>loss<sub>t</sub> = −log P(x<sub>t</sub> | x<sub>&lt;t</sub>), "
        "mean = Σ<sub>t</sub> loss<sub>t</sub> / n, perplexity = exp(mean)</p>"
        f"<p><b>{'</b>, <b>'.join(scored.facts())}</b></p>{legend}{shown_text}<p class=dim>{note}</p>"
    )
    style = STYLE + BARS + _FORMULA
    return View(
        "Loss per token",
        body,
        lambda: _terminal(names, scored, chips, shown, note),
        style=style,
        records=lambda: scored.records(names),
    )


def _score(model: Model, ids: np.ndarray, shown: range, top: int, tokenizer: Any) -> _Scored:
    losses, found = np.empty(len(ids) - 1), {}
    for t, row in model._rows(ids):
        id = int(ids[t + 1])
        losses[t] = -_core.log_prob(row, id)
        if t + 1 in shown:
            found[t + 1] = alternatives(row, id, top)
    if tokenizer is None:
        return _Scored(ids, losses, found, None)
    # Counted as a difference: whether a space stands before the first word depends on what is before it.
    whole_text, given = (len(tokenizer.decode_bytes(part, skip_special_tokens=True)) for part in (ids, ids[:1]))
    return _Scored(ids, losses, found, whole_text - given)


def _chip(names: TokenNames, scored: _Scored, at: int, most: float) -> Chip:
    id = int(scored.ids[at])
    if at == 0:
        return names.chip(id, f"<div>{names.heading(id)}position 0: given, not scored</div>", kind="dim")
    cost, a = float(scored.losses[at - 1]), scored.found[at]
    facts = (
        f"position {at}<br>loss {cost:.3f} nats = {cost / np.log(2):.3f} bits<br>P {percent(float(np.exp(-cost)))}<br>"
        f"rank {a.rank:,}, entropy {a.entropy:.2f} nats"
    )
    return names.chip(id, f"<div>{names.heading(id)}{facts}</div>{bars(a, names)}", cost / most)


def _terminal(names: TokenNames, scored: _Scored, chips: list[Chip], shown: range, note: str) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    rows = []
    for at in shown:
        id = int(scored.ids[at])
        cells = (str(at), marked(names.quoted(id)), str(id))
        if at == 0:
            rows.append((*cells, "given", "", "", "", ""))
            continue
        cost, a = float(scored.losses[at - 1]), scored.found[at]
        p = percent(float(np.exp(-cost)))
        rows.append((*cells, f"{cost:.3f}", p.rjust(10), f"{a.rank:,}", f"{a.entropy:.2f}", line(a, names)))
    columns = ("pos", "token", "id", "loss", "P", "rank", "entropy", "most probable")
    formula = Text("loss_t = -log P(x_t | x_<t), mean = sum of loss_t / n, perplexity = exp(mean)")
    return Group(
        formula, *map(Text, scored.facts()), flow_text(chips), Text(note, "dim"), Text(text_table(columns, rows))
    )
