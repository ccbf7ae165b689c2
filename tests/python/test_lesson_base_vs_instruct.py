"""Every check of 03_base_vs_instruct: the right answer, at least two wrong ones each with its own hint, and none yet."""

import re

import numpy as np
import pytest
from cutaway.lessons import base_vs_instruct as lesson
from lesson_checks import judged

# Source for the kernel that ran the notebook: what its results say, as JSON.
FACTS = """import json
print(json.dumps({
    "answers": table[["model", "finish_reason", "tokens", "repeats"]].to_dict("records"),
    "swapped": swapped.to_pandas()[["model", "prompt", "finish_reason", "text"]].to_dict("records"),
    "bits": bits[bits.part == "answer"][["prompt", "bits"]].to_dict("records"),
    "kl": steps[["part", "kl", "top1_b"]].to_dict("records"), "d_vocab": instruct.d_vocab,
}))"""
WORDS = ("none", "one", "two", "three", "four", "five", "six")
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


# ---- what the notebook's text says of its results


def check_prose(prose, facts):
    """Every number and every finding that the text states, from the results of the run."""
    base, instruct = ([row for row in facts["answers"] if row["model"] == name] for name in ("base", "instruct"))
    assert len(base) == len(instruct) == 6
    circles = sum(row["repeats"] > 0.3 for row in base)
    endless = sum(row["finish_reason"] == "length" for row in base)
    ended = sum(row["finish_reason"] == "stop" for row in instruct)
    stated = [
        f"**It goes round in circles**, in {WORDS[circles]} of its six answers.",
        f"it writes until the limit, {WORDS[endless]} times of six.",
        f"in {WORDS[ended]} of its six answers it draws a stop token before the limit",
        f"The others were cut at {max(row['tokens'] for row in instruct)} tokens.",
        f"over all {facts['d_vocab']:,} tokens",
    ]
    for sentence in stated:
        assert sentence in prose, sentence
    for row in base + instruct:
        assert (row["tokens"] == 50) == (row["finish_reason"] == "length")
        assert not 0.2 < row["repeats"] < 0.4  # "in circles" is no matter of taste
    assert all(row["repeats"] < 0.3 for row in instruct)

    swapped = {name: [row for row in facts["swapped"] if row["model"] == name] for name in ("base", "instruct")}
    assert all(row["finish_reason"] == "length" and "\n### " in row["text"] for row in swapped["base"])  # next heading
    assert swapped["instruct"][0]["text"].strip().startswith("The answer is: France")
    assert "Inheritance" in swapped["instruct"][2]["text"]
    few, many = ([row["bits"] for row in facts["bits"] if (row["prompt"] == 0) == first] for first in (True, False))
    assert max(few) < min(many) / 2
    first = next(row for row in facts["kl"] if row["part"] == "answer")
    assert first["kl"] == max(row["kl"] for row in facts["kl"]) and first["top1_b"] == "<|im_end|>"
    after = facts["kl"][facts["kl"].index(first) + 2 :]
    assert max(row["kl"] for row in after) < first["kl"] / 20  # "a token or two later both go on almost alike"


def test_the_check_of_the_prose_tells_wrong_counts():
    answers = [("base", "length", 50, repeats) for repeats in (0.83, 0.53, 0, 0, 0.06, 0)]
    answers += [("instruct", reason, 50 if reason == "length" else 20, 0) for reason in ("length", "stop") * 3]
    told = [("base", "length", "So.\n### Response:\n")] * 3
    told += [("instruct", "stop", f"\n{text}") for text in ("The answer is: France", "", "Inheritance")]
    facts = {
        "answers": [dict(zip(("model", "finish_reason", "tokens", "repeats"), row, strict=True)) for row in answers],
        "swapped": [dict(zip(("model", "finish_reason", "text"), row, strict=True)) for row in told],
        "bits": [{"prompt": prompt, "bits": bits} for prompt, bits in ((0, 14.3), (0, 4.1), (1, 38.4), (2, 42.2))],
        "kl": [
            {"part": part, "kl": kl, "top1_b": top}
            for part, kl, top in (
                ("prompt", 3, "-"),
                ("answer", 10.9, "<|im_end|>"),
                ("answer", 1.9, "a"),
                ("answer", 0.4, "."),
            )
        ],
        "d_vocab": 49152,
    }
    prose = (
        "**It goes round in circles**, in two of its six answers. And it writes until the limit, six times of six. But in "
        "three of its six answers it draws a stop token before the limit. The others were cut at 50 tokens. So over all "
        "49,152 tokens"
    )
    check_prose(prose, facts)
    for slip in ("in two of", "six times", "in three of", "at 50", "49,152"):
        wrong = prose.replace(slip, re.sub(r"two|three|six|50|49", "four", slip))
        with pytest.raises(AssertionError):
            check_prose(wrong, facts)
