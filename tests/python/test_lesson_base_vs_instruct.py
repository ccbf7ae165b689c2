"""Every check of 03_base_vs_instruct: the right answer, at least two wrong ones each with its own hint, and none yet."""

import numpy as np
import pytest
from cutaway.lessons import base_vs_instruct as lesson
from lesson_checks import judged

LOGPROBS = np.log(np.asarray([0.5, 0.1, 0.9, 0.05, 0.3]))
LOSS = -LOGPROBS.mean()


@pytest.mark.parametrize(
    ("answer", "right", "words"),
    [
        (np.exp(LOSS), True, "as uncertain as"),
        (np.exp(LOGPROBS).prod() ** (-1 / 5), True, "as uncertain as"),
        (round(float(np.exp(LOSS)), 3), True, "equally probable"),
        (LOSS, False, "mean loss in nats"),
        (LOGPROBS.mean(), False, "Which sign"),
        (np.exp(LOGPROBS.mean()), False, "at least 1"),
        (1 / np.exp(LOGPROBS).mean(), False, "not the probabilities"),
        (np.exp(LOGPROBS).mean(), False, "mean probability"),
        (2**LOSS, False, "wrong base"),
        (np.exp(-LOGPROBS.sum()), False, "whole text"),
        (np.exp(-LOGPROBS.sum() / 6), False, "how many tokens"),
        (1000, False, "too large"),
        (LOGPROBS, False, "this is ndarray"),
        (..., None, "replace the"),
    ],
)
def test_perplexity(answer, right, words):
    judged(lesson.perplexity(answer, LOGPROBS), right, words)


def grams(ids, n=4):
    return [tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)]


def share(ids, n=4, of=len, key=lambda gram: gram):
    """Share of n-grams that stood earlier; of: of what it is a share."""
    found = [key(gram) for gram in grams(ids, n)]
    return (len(found) - len(set(found))) / max(of(found), 1)


def slow(ids):
    """The definition, word for word."""
    found = grams(ids)
    return sum(gram in found[:i] for i, gram in enumerate(found)) / max(len(found), 1)


@pytest.mark.parametrize(
    ("answer", "right", "words"),
    [
        (share, True, "column repeats"),
        (slow, True, "column repeats"),
        (lambda ids: 1 - share(ids), False, "different 4-grams"),
        (lambda ids: len(grams(ids)) * share(ids), False, "a count"),
        (lambda ids: len(grams(ids)) * share(ids) / max(len(ids), 1), False, "How many are there"),
        (lambda ids: sum(grams(ids).count(g) > 1 for g in grams(ids)) / max(len(grams(ids)), 1), False, "first time"),
        (lambda ids: share(ids, key=lambda g: tuple(sorted(g))), False, "only if their order is"),
        (lambda ids: share(ids, n=1), False, "single ids"),
        (lambda ids: share(ids, n=3), False, "three in a row"),
        (lambda ids: share(ids, of=lambda found: len(set(found))), False, "not of the different ones"),
        (lambda ids: share(ids[::2]), False, "overlap"),
        (lambda ids: 1 - len(set(grams(ids))) / len(grams(ids)), False, "ZeroDivisionError"),
        (lambda ids: slow(ids) if len(grams(ids)) > 1 else 1, False, "repeats nothing"),
        (lambda ids: None, False, "returned nothing"),
        (0.5, False, "pass the function itself"),
        (..., None, "replace"),
    ],
)
def test_repeats(answer, right, words):
    judged(lesson.repeats(answer), right, words)


def test_content_positions(real_model):
    tokenizer, question = real_model("smollm2", "int8").tokenizer, "Who wrote Hamlet?"
    ids = tokenizer.apply_chat_template([{"role": "user", "content": question}], tokenize=True)
    asked = tokenizer.encode(question)
    begin = next(i for i in range(len(ids)) if ids[i : i + len(asked)].tolist() == asked.tolist())
    truth = list(range(begin, begin + len(asked)))
    assert tokenizer.decode(ids[truth]) == question
    for answer, right, words in [
        (truth, True, "token by token"),
        (np.asarray(truth), True, "token by token"),
        (range(truth[0], truth[-1] + 1), True, "token by token"),
        (asked, False, "the ids of the question"),
        ([p + 1 for p in truth], False, "counted from 0"),
        (range(len(asked)), False, "before it"),
        (range(len(ids)), False, "'<|im_start|>'. Who wrote that?"),
        ([truth[0] - 1, *truth], False, "'\\n'. Who wrote that?"),
        ([*truth, truth[-1] + 1], False, "'<|im_end|>'. Who wrote that?"),
        (truth[:-1], False, "others do as well"),
        ([*truth, 9999], False, "no position 9999"),
        (truth[::-1], False, "in order"),
        (question, False, "this is str"),
        ([0.5], False, "whole numbers in one row"),
        (np.asarray([truth]), False, "whole numbers in one row"),
        (..., None, "replace"),
    ]:
        judged(lesson.content_positions(answer, tokenizer, question), right, words)
