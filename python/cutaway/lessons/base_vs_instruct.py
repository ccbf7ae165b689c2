"""Checks of 03_base_vs_instruct: perplexity, the share of repeated 4-grams, the content between template tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..comparison import metrics
from ..comparison.prompts import Template, content
from .verdict import Verdict, judge_number, number, result_of, right, whole_numbers, wrong

# Lists of ids for `repeats`, the plain case first.
_LISTS: tuple[list[int], ...] = (
    [1, 2, 3, 4, 5, 6],
    [1, 2, 3, 4, 1, 2, 3, 4, 9],
    [7] * 9,
    [1, 2, 3, 4, 4, 3, 2, 1],
    [5, 6, 1, 2, 3, 4, 8, 1, 2, 3, 4],
    [1, 2, 3],
    [],
)


def perplexity(answer: Any, logprobs: np.ndarray) -> Verdict:
    """The perplexity of a text. logprobs: natural log-probabilities of its tokens, [n]."""
    loss = -math.fsum(logprobs) / len(logprobs)
    return judge_number(
        answer,
        "a perplexity",
        math.exp(loss),
        [
            (loss, "that is the mean loss in nats. One step is missing."),
            (-loss, "that is the mean log-probability. Which sign has a loss, and what comes then?"),
            (math.exp(-loss), "a perplexity is at least 1; this is a probability. Look at the sign."),
            (1 / float(np.exp(logprobs).mean()), "the mean is over the log-probabilities, not the probabilities."),
            (float(np.exp(logprobs).mean()), "that is the mean probability; the mean is taken over the logarithms."),
            (2**loss, "these logarithms are natural ones: 2 is the wrong base."),
            (math.exp(loss * len(logprobs)), "that is of the whole text; it is a mean over the tokens."),
            (math.exp(loss * len(logprobs) / (len(logprobs) + 1)), "over how many tokens is the mean?"),
        ],
        "the model was, on average, as uncertain as between that many equally probable tokens.",
        tolerance=1e-3,
    )  # fmt: skip


def repeats(answer: Any) -> Verdict:
    """A function (ids) -> the share of its 4-grams that stand earlier in the same list."""
    for ids in _LISTS:
        result = result_of(answer, list(ids), where=f"for {ids} ")
        got = result if isinstance(result, Verdict) else number(result, "a share")
        if isinstance(got, Verdict):
            return got
        truth = metrics.repeats(ids)
        if not math.isclose(got, truth, abs_tol=1e-6):
            return wrong(f"for {ids} it gives {got:.4g}: {_slip(got, ids)}")
    return right("this is the column repeats of the table.")


def _slip(got: float, ids: Sequence[int]) -> str:
    """What a wrong share of repeated 4-grams looks like."""
    grams = [tuple(ids[i : i + 4]) for i in range(len(ids) - 3)]
    if len(grams) < 2:
        return "a list with fewer than two 4-grams repeats nothing."
    again = len(grams) - len(set(grams))
    unordered = len(grams) - len({tuple(sorted(gram)) for gram in grams})
    triples = [tuple(ids[i : i + 3]) for i in range(len(ids) - 2)]
    slips = [
        (1 - again / len(grams), "that is the share of different 4-grams."),
        (again, "that is a count, and a share was asked for."),
        (again / len(ids), "the share is of all 4-grams. How many are there in a list of this length?"),
        (sum(grams.count(g) > 1 for g in grams) / len(grams), "the first time a 4-gram comes, it repeats nothing."),
        (unordered / len(grams), "two 4-grams are the same only if their order is."),
        (1 - len(set(ids)) / len(ids), "those are single ids; a 4-gram is four in a row."),
        (1 - len(set(triples)) / len(triples), "those are three in a row; a 4-gram is four."),
        (again / len(set(grams)), "the share is of all 4-grams, not of the different ones."),
    ]  # fmt: skip
    for slip, says in slips:
        if math.isclose(got, slip, abs_tol=1e-6):
            return says
    blocks = len(ids) // 4
    return f"there are {len(grams)} 4-grams, which overlap, not {blocks} blocks. Which of them stood earlier?"


def content_positions(answer: Any, tokenizer: Any, question: str) -> Verdict:
    """The positions of the user's question in a rendered chat of one message."""
    template = Template("chat", tokenizer.chat_template)
    rendered = template.render(question, tokenizer)
    ids, spans = template.encode(rendered.text, tokenizer)
    truth = content(spans, *rendered.span()).tolist()
    got = whole_numbers(answer, "positions")
    if isinstance(got, Verdict):
        return got
    if got == truth:
        return right("from here on the two readings can be compared, token by token.")
    if got == ids[truth].tolist():
        return wrong("these are the ids of the question. Where in the list do they stand?")
    if got == [p + 1 for p in truth]:
        return wrong("one too far: positions are counted from 0.")
    if got == list(range(len(truth))):
        return wrong("there the question would stand without a template. What does the model read before it?")
    if outside := [p for p in got if not 0 <= p < len(ids)]:
        return wrong(f"there is no position {outside[0]}; the model reads {len(ids)} tokens.")
    if extra := [p for p in got if p not in truth]:
        return wrong(f"at position {extra[0]} stands {tokenizer.tokens(ids[extra[:1]])[0]!r}. Who wrote that?")
    if sorted(set(got)) == truth:
        return wrong("the right positions, but not each once and in order.")
    return wrong(f"these {len(got)} tokens belong to the question, and others do as well.")
