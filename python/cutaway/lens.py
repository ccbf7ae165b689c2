"""The logit lens (nostalgebraist, 2020): what the model would say if it stopped after each layer.

https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import ArgumentError
from .ledger import token_text
from .numbers import whole
from .probabilities import rank, softmax_and_entropy
from .probabilities import top as best_ids
from .views.shown import Shown

if TYPE_CHECKING:
    from .model import Model
    from .views.page import View

_CHUNK_BYTES = 32 << 20  # of logits at a time: no array [layer, pos, d_vocab] ever exists


@dataclass(frozen=True, repr=False, eq=False)
class Lens(Shown):
    """The most probable next tokens after each layer, at each position: the final norm and W_U on the residual stream.

    Axes: `layer` counts `names`, "embed" first, then each block's resid_post; the last one is the model's own
    prediction. `pos` counts `positions`. Probabilities are float64, entropies in nats.
    """

    tokenizer: Any
    """None where there is none."""
    target: str
    """"final" | "next" | "given": where target_ids come from."""
    names: tuple[str, ...]
    """[layer]: the activations that were read."""
    prompt_ids: np.ndarray
    """The whole text, int32."""
    positions: np.ndarray
    """int64 [pos]: places in the text."""
    top_ids: np.ndarray
    """int32 [layer, pos, top]: the most probable tokens, most probable first; of equal logits the lower id."""
    top_probs: np.ndarray
    """float64 [layer, pos, top]"""
    entropy: np.ndarray
    """float64 [layer, pos]"""
    target_ids: np.ndarray
    """int32 [pos]: the token followed through the layers; -1 where there is none."""
    target_probs: np.ndarray
    """float64 [layer, pos]; NaN where there is no target."""
    target_ranks: np.ndarray
    """int64 [layer, pos]: 1 is the most probable token; 0 where there is no target."""

    @property
    def ids(self) -> np.ndarray:
        """int32 [layer, pos]: the most probable token."""
        return self.top_ids[..., 0]

    @property
    def probs(self) -> np.ndarray:
        """float64 [layer, pos]: its probability."""
        return self.top_probs[..., 0]

    @property
    def layers(self) -> tuple[str, ...]:
        """[layer]: short names: "embed", "0", "1", ..."""
        return tuple(name.split(".")[1] if "." in name else name for name in self.names)

    def text(self, id: int) -> str | None:
        """A token as readable text; None where there is no tokenizer, or no token (-1)."""
        return None if id < 0 else token_text(self.tokenizer, int(id))

    def records(self) -> list[dict[str, Any]]:
        """One per layer and position: the best token, its probability, the entropy, and where the target stands."""
        return [
            {
                "layer": name,
                "position": int(position),
                "token": self.text(self.prompt_ids[position]),
                "id": int(self.ids[i, k]),
                "text": self.text(self.ids[i, k]),
                "probability": float(self.probs[i, k]),
                "entropy": float(self.entropy[i, k]),
                "target_id": int(self.target_ids[k]),
                "target_text": self.text(self.target_ids[k]),
                "target_probability": float(self.target_probs[i, k]),
                "target_rank": int(self.target_ranks[i, k]),
            }
            for i, name in enumerate(self.layers)
            for k, position in enumerate(self.positions)
        ]

    def view(self, start: int = 0, count: int | None = None) -> View:
        """The table, layer by position: `cutaway.views.lens`."""
        from .views.layers import lens

        return lens(self, start=start, count=count)

    def __repr__(self) -> str:
        return repr(self.view())


def logit_lens(model: Model, ids: np.ndarray, positions: Any, top: int, target: Any) -> Lens:
    """The lens on one text. ids: int32 [n]; the other arguments are those of `Model.lens`."""
    top = whole("top", top, 1, model.d_vocab)
    names = ("embed", *(f"blocks.{i}.resid_post" for i in range(model.config.n_layers)))
    _, trace = model.session().append(ids, logits=None, names=names, positions=positions)
    at = trace.positions
    n_pos, n_layers = len(at), len(names)
    out = Lens(
        tokenizer=trace.tokenizer,
        target=target if isinstance(target, str) else "given",
        names=names,
        prompt_ids=ids,
        positions=at,
        top_ids=np.empty((n_layers, n_pos, top), np.int32),
        top_probs=np.empty((n_layers, n_pos, top)),
        entropy=np.empty((n_layers, n_pos)),
        target_ids=_targets(target, ids, at, model.d_vocab),
        target_probs=np.full((n_layers, n_pos), np.nan),
        target_ranks=np.zeros((n_layers, n_pos), np.int64),
    )
    for i in reversed(range(n_layers)):  # the last layer first: it names the target
        for rows in _chunks(n_pos, model.d_vocab):
            for k, logits in enumerate(model.unembed(trace[names[i]][rows]), rows.start):
                _read(out, i, k, logits)
    return out


def _targets(target: Any, ids: np.ndarray, at: np.ndarray, d_vocab: int) -> np.ndarray:
    """int32 [pos]; -1 is yet to be named by the last layer ("final"), or that nothing follows ("next")."""
    if isinstance(target, str) and target in ("final", "next"):
        following = np.append(ids[1:], np.int32(-1))
        return np.full(len(at), -1, np.int32) if target == "final" else following[at]
    try:
        given = np.asarray(target)
    except ValueError:  # a ragged list
        given = np.asarray(None)
    if given.dtype.kind not in "iu" or given.shape not in ((), at.shape):
        raise ArgumentError(
            f"target is {target!r}, expected 'final' (the model's own answer), 'next' (the token that follows in the "
            f"text), a token id, or {len(at)} of them, one per position."
        )
    if given.size and not 0 <= int(given.min()) <= int(given.max()) < d_vocab:
        raise ArgumentError(f"target has ids {int(given.min())} to {int(given.max())}, expected 0 to {d_vocab - 1}.")
    return np.broadcast_to(given, at.shape).astype(np.int32)


def _chunks(n: int, d_vocab: int) -> Iterator[slice]:
    rows = max(1, _CHUNK_BYTES // (4 * d_vocab))
    for start in range(0, n, rows):
        yield slice(start, min(start + rows, n))


def _read(out: Lens, i: int, k: int, logits: np.ndarray) -> None:
    """Fills in layer i at position k. logits: float32 [d_vocab]."""
    if not np.isfinite(logits).all():
        raise ArgumentError(
            f"The logits after {out.names[i]} at position {out.positions[k]} are not finite; is a hook at work?"
        )
    if out.target == "final" and i == len(out.names) - 1:
        out.target_ids[k] = logits.argmax()
    probs, out.entropy[i, k] = softmax_and_entropy(logits)
    target = out.target_ids[k]
    if target >= 0:
        out.target_ranks[i, k], out.target_probs[i, k] = rank(logits, target), probs[target]
    best = best_ids(logits, out.top_ids.shape[2])
    out.top_ids[i, k], out.top_probs[i, k] = best, probs[best]
