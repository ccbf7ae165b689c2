"""What else could have stood at a position: the best tokens of one row of logits, beside the one that stands there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..probabilities import rank, softmax_and_entropy
from ..probabilities import top as best_ids
from .chips import TokenNames, shorten
from .page import escape, percent, visible

STYLE = """
.ca .alts{min-width:0}.ca .alts u{display:block;position:relative;text-decoration:none;white-space:pre;
overflow:hidden;padding-left:4.4em}
.ca .alts u::before{content:"";position:absolute;left:4.2em;top:.2em;bottom:.2em;width:calc(var(--p)*(100% - 4.4em));
background:var(--hi)}
.ca .alts bdi{position:relative}.ca .alts s{position:absolute;left:0;width:3.8em;text-align:right;text-decoration:none}
.ca .alts .here bdi{font-weight:700;text-decoration:underline}
"""


@dataclass(frozen=True)
class Alternatives:
    """One row of logits before any sampler stage, around token `id`."""

    id: int
    rank: int
    """1 is the most probable token; of equal logits the lower id comes first."""
    entropy: float
    """In nats."""
    best: tuple[tuple[int, float], ...]
    """The most probable tokens and their probabilities, most probable first."""


def alternatives(logits: np.ndarray, id: int, top: int) -> Alternatives:
    """logits: [d_vocab]; entropy and probabilities are float64."""
    probs, entropy = softmax_and_entropy(logits)
    best = tuple((i, float(probs[i])) for i in best_ids(logits, top).tolist() if probs[i] > 0)
    return Alternatives(int(id), rank(logits, id), entropy, best)


def bars(a: Alternatives, names: TokenNames) -> str:
    """The best tokens as HTML: a probability, a bar and a name each."""
    rows = []
    for id, p in a.best:
        here = " class=here" if id == a.id else ""
        name = escape(shorten(visible(names.quoted(id)), 24))
        rows.append(f"<u{here} style=--p:{p:.3g}><s>{percent(p)}</s><bdi>{name}</bdi></u>")
    return f"<div class=alts>{''.join(rows)}</div>"


def line(a: Alternatives, names: TokenNames, shown: int = 3) -> str:
    """The same as one line of text."""
    return ", ".join(f"{shorten(visible(names.quoted(id)), 16)} {percent(p)}" for id, p in a.best[:shown])
