"""Checks of 01_four_steps: the cache after some steps, its size in bytes, a decoding loop of one's own."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..numbers import sized
from .verdict import Verdict, judge_number, result_of, right, wrong


def cached_positions(answer: Any, n_prompt: int, n_new: int) -> Verdict:
    """How many positions the KV cache holds when n_new tokens have been drawn after a prompt of n_prompt."""
    return judge_number(
        answer,
        "a count of positions",
        n_prompt + n_new - 1,
        [
            (n_prompt + n_new, "the cache holds what went through the model. Has the last token that was drawn?"),
            (n_new, "the prompt went through the model as well."),
            (n_new - 1, "the prompt went through the model as well."),
            (n_prompt, "each token that was drawn and fed back added a position."),
        ],
        "the last token was drawn and never fed back, so the cache is one shorter than the text.",
    )


def cache_bytes(answer: Any, model: Any, n: int) -> Verdict:
    """Bytes of the keys and values of n positions, all layers, in the type that the model's cache has."""
    c = model.config
    width = {"float32": 4, "float16": 2, "Q8_0": 36 / 32}[model.info()["kv_dtype"]]  # Q8_0: a scale for each 32 codes
    truth = c.n_layers * 2 * c.n_kv_heads * c.d_head * width * n
    return judge_number(
        answer,
        "a size in bytes",
        truth,
        [
            (truth / 2, "a position stores two vectors per head, not one; and look at the bytes of one number."),
            (truth * 2, "look at model.info()['kv_dtype']: how many bytes is one number?"),
            (truth / c.n_layers, "that is one layer."),
            (truth * c.n_heads / c.n_kv_heads, "several query heads share one key and value head: see n_kv_heads."),
            (truth / n, "that is one position."),
        ],
        f"{sized(truth)}, and it grows by the same amount with every token.",
    )


def greedy_loop(answer: Any, model: Any, prompt: str, n: int) -> Verdict:
    """A function (model, prompt, n) -> the n new ids of greedy decoding, through a session."""
    got = result_of(answer, model, prompt, n)
    if isinstance(got, Verdict):
        return got
    if not isinstance(got, (Sequence, np.ndarray)) or isinstance(got, str):
        return wrong(f"the function returned {type(got).__name__}, and a list of ids was asked for.")
    try:
        ids = [operator.index(id) for id in got]
    except TypeError:
        return wrong("not everything in the list is a whole number. Is each element one id, not a row of logits?")
    truth = greedy(model, prompt, n)
    given = model.tokenizer.encode(prompt, add_special_tokens=True).tolist()
    if ids == truth:
        return right("these are the ids that model.generate(temperature=0) gives.")
    if ids == given + truth:
        return wrong("return the new ids only; the prompt is in front of them.")
    if len(ids) != n:
        return wrong(f"{len(ids)} ids came back, {n} were asked for.")
    if ids[:1] != truth[:1]:
        return wrong("already the first id differs. Is it the index of the largest logit of the prompt's last row?")
    if len(set(ids)) == 1:
        return wrong("every id is the same one. Is the new token appended to the session before the next is chosen?")
    at = next(i for i, (a, b) in enumerate(zip(ids, truth, strict=True)) if a != b)
    return wrong(f"the ids agree up to number {at}. What did the model read before it chose that one?")


def greedy(model: Any, prompt: str, n: int) -> list[int]:
    """The n most probable ids, one after the other, whether or not a stop token is among them."""
    session, ids = model.session(), model.tokenizer.encode(prompt, add_special_tokens=True)
    out: list[int] = []
    while len(out) < n:
        out.append(int(np.argmax(session.append(ids))))
        ids = out[-1:]
    return out
