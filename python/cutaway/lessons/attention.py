"""Checks of 04_attention: the causal mask, a head that finds the same token, the logit lens by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from .verdict import Verdict, judge_number, right, unanswered, whole_numbers, wrong


def unmasked(answer: Any, n: int) -> Verdict:
    """How many entries of a causal pattern [n, n] may be above zero."""
    return judge_number(
        answer,
        "a count of entries",
        n * (n + 1) // 2,
        [
            (n * n, "in that table everybody looks at everybody, also ahead."),
            (n * (n - 1) // 2, "a token may look at itself as well."),
            (n, "that is the last row alone."),
            (n * n - n, "only the diagonal is missing there. Which side of it is masked?"),
        ],
        "the diagonal and everything below it: the first token sees itself alone, the last one all of them.",
    )


def duplicate_token_head(answer: Any, patterns: np.ndarray, n: int) -> Verdict:
    """The head that looks most from each token of a repeat to its earlier self.

    patterns: [layer, head, query_pos, key_pos] of one token, then n, then the same n again.
    """
    got = whole_numbers(answer, "layer and head")
    if isinstance(got, Verdict):
        return got
    n_layers, n_heads = patterns.shape[:2]
    if len(got) != 2:
        return wrong(f"a pair (layer, head) was asked for; this has {len(got)} numbers.")
    t = np.arange(n + 1, 2 * n + 1)  # the positions of the repeat

    def scores(key_pos: np.ndarray) -> np.ndarray:
        return patterns[:, :, t, key_pos].mean(axis=-1)  # [layer, head]

    score = scores(t - n)
    best = np.unravel_index(score.argmax(), score.shape)
    if tuple(got) == best:
        return right(f"on average it has {score.max():.0%} of its weight there: a duplicate-token head.")
    if tuple(got[::-1]) == best:
        return wrong("the layer comes first, then the head.")
    layer, head = got
    if not (0 <= layer < n_layers and 0 <= head < n_heads):
        return wrong(f"there is no such head: layers are 0 to {n_layers - 1}, heads 0 to {n_heads - 1}.")
    own = score[layer, head]
    instead = {
        "what came after the same token": t - (n - 1),
        "the token before": t - 1,
        "the token itself": t,
        "the first token of the text": np.zeros_like(t),
    }
    for where, key_pos in instead.items():
        if (weight := scores(key_pos)[layer, head]) > max(own, 0.3):
            return wrong(f"this head has {weight:.0%} of its weight on {where}, and {own:.0%} where it should look.")
    return wrong(f"this head looks there with {own:.0%} of its weight, and another one with more.")


def first_layer(answer: Any, model: Any, text: str) -> Verdict:
    """The first block after which the last position's lens names the token that the model ends with."""
    if (verdict := unanswered(answer)) is not None:
        return verdict
    lens = model.lens(text, positions=[-1])
    hits = [layer for layer, rank in enumerate(lens.target_ranks[1:, 0]) if rank == 1]  # without the embedding
    truth, last = hits[0], len(lens.layers) - 2
    stays = next(layer for layer in hits if hits[-(last - layer + 1) :] == list(range(layer, last + 1)))
    if isinstance(answer, (int, np.integer)) and not isinstance(answer, bool):
        got = int(answer)
        if got == truth:
            return right("and the layers behind it made it more certain, or doubted it again.")
        if not 0 <= got <= last:
            return wrong(f"the layers are 0 to {last}.")
        if got == stays:
            return wrong("from that layer on it stays on top. Was it there before?")
        if got == truth + 1:
            return wrong("one too far. Are resid_post and resid_pre mixed up, or is the embedding counted as a layer?")
        if got in hits:
            return wrong("it is on top there, but not for the first time.")
        named, wanted = (lens.text(int(lens.ids[i, 0])) for i in (got + 1, -1))
        return wrong(f"after layer {got} the most probable token is {named!r}, and the model ends with {wanted!r}.")
    return wrong(f"a layer is a whole number; this is {type(answer).__name__}.")
