"""Every check of an exercise: the right answer, at least two wrong ones each with its own hint, and no answer yet."""

import html

import numpy as np
import pytest
from cutaway.lessons import four_steps, sampling
from cutaway.lessons.verdict import Verdict


def judged(verdict: Verdict, right: bool | None, words: str) -> None:
    assert verdict.right is right and words in verdict.says, verdict
    assert html.escape(verdict.says) in verdict._repr_html_()
    assert repr(verdict).startswith({True: "Right", False: "Not yet", None: "No answer yet"}[right])


@pytest.mark.parametrize(
    ("answer", "right", "words"),
    [
        (56, True, "one shorter"),
        (57, False, "last token"),
        (20, False, "prompt"),
        (37, False, "fed back"),
        (1000, False, "too large"),
        ("56", False, "is a number; this is str"),
        (..., None, "replace the"),
    ],
)
def test_cached_positions(answer, right, words):
    judged(four_steps.cached_positions(answer, n_prompt=37, n_new=20), right, words)


def test_cache_bytes(small_model):
    model = small_model("llama", "Q8_0", compute="int8").model
    c = model.config
    truth = c.n_layers * 2 * c.n_kv_heads * c.d_head * 2 * 1000
    k, v = model.session().kv(0)
    assert (k.size, v.size) == (0, 0) and model.info()["kv_dtype"] == "float16"
    for answer, right, words in [
        (truth, True, "MiB"),
        (truth // 2, False, "two vectors"),
        (truth * 2, False, "kv_dtype"),
        (truth // c.n_layers, False, "one layer") if c.n_layers > 2 else (truth / 1000, False, "one position"),
        (truth * 7, False, "too large"),
        (np.float64(truth), True, "MiB"),
        (..., None, "replace"),
    ]:
        judged(four_steps.cache_bytes(answer, model, 1000), right, words)


def test_greedy_loop(real_model):
    model, prompt = real_model("smollm2", "int8"), "The capital of France is"
    truth = four_steps.greedy(model, prompt, 8)
    out = model.generate(prompt, temperature=0, max_new_tokens=8)
    assert truth[: len(out.ids)] == out.ids.tolist()

    def loop(model, prompt, n):
        session, ids, new = model.session(), model.tokenizer.encode(prompt, add_special_tokens=True), []
        for _ in range(n):
            new.append(int(session.append(ids).argmax()))
            ids = [new[-1]]
        return new

    def stuck(model, prompt, n):
        logits = model.session().append(model.tokenizer.encode(prompt, add_special_tokens=True))
        return [int(logits.argmax())] * n

    def rereads(model, prompt, n):
        session, ids, new = model.session(), model.tokenizer.encode(prompt, add_special_tokens=True), []
        for _ in range(n):
            new.append(int(session.append(ids).argmax()))
        return new

    given = model.tokenizer.encode(prompt, add_special_tokens=True).tolist()
    for answer, right, words in [
        (loop, True, "temperature=0"),
        (stuck, False, "the same one"),
        (rereads, False, "What did the model read"),
        (lambda *a: given + loop(*a), False, "new ids only"),
        (lambda *a: loop(*a)[:5], False, "5 ids came back, 8"),
        (lambda *a: [i + 1 for i in loop(*a)], False, "already the first"),
        (lambda *a: "text", False, "returned str"),
        (lambda *a: 1 / 0, False, "ZeroDivisionError"),
        (loop(model, prompt, 8), False, "pass the function itself"),
        (lambda *_: [np.zeros(4)] * 8, False, "one id, not a row of logits"),
        (..., None, "replace"),
    ]:
        judged(four_steps.greedy_loop(answer, model, prompt, 8), right, words)


def stable_softmax(logits, temperature):
    w = np.exp((logits - logits.max()) / temperature)
    return w / w.sum()


@pytest.mark.parametrize(
    ("answer", "right", "words"),
    [
        (stable_softmax, True, "is free"),
        (lambda x, t: np.exp(x / t) / np.exp(x / t).sum(), False, "overflows"),
        (lambda x, t: stable_softmax(x, 1 / t), False, "wilder"),
        (lambda x, t: stable_softmax(x, 1), False, "before the exponential"),
        (lambda x, t: stable_softmax(x, 1) / t, False, "before the exponential"),
        (lambda x, t: np.exp((x - x.max()) / t), False, "sum to"),
        (lambda x, t: x, False, "not the probabilities"),
        (lambda x, t: x[:2], False, "shape [2], expected [5]"),
        (lambda x: x, False, "TypeError"),
        (3, False, "without calling"),
        (..., None, "replace"),
    ],
)
def test_softmax(answer, right, words):
    judged(sampling.softmax(answer), right, words)


def top_p(probs, p):
    order = np.argsort(-probs, kind="stable")
    return order[: np.searchsorted(np.cumsum(probs[order]), p - 1e-9) + 1]


@pytest.mark.parametrize(
    ("answer", "right", "words"),
    [
        (top_p, True, "crosses it is in"),
        (lambda q, p: set(top_p(q, p).tolist()), True, "smallest set"),
        (lambda q, p: np.argsort(-q)[np.cumsum(np.sort(q)[::-1]) <= p], False, "crosses p belong"),
        (lambda q, p: np.argsort(q)[: np.searchsorted(np.cumsum(np.sort(q)), p - 1e-9) + 1], False, "fewer tokens"),
        (lambda q, p: range(len(q)), False, "fewer tokens"),
        (lambda q, p: [], False, "always stays"),
        (lambda q, p: q.argmax(), False, "TypeError"),
        (lambda q, p: [7], False, "do not exist"),
        (lambda q, p: q > 0.05, False, "this is a mask"),
        (..., None, "replace"),
    ],
)
def test_nucleus(answer, right, words):
    judged(sampling.nucleus(answer), right, words)


def test_at_least_once():
    for answer, right, words in [
        (1 - 0.9999**5000, True, "low is not zero"),
        (0.3935, True, "low is not zero"),
        (0.5, False, "on average"),
        (0.9999**5000, False, "never comes"),
        (0.0001, False, "single draw"),
        (0.9, False, "too large"),
        ("0.39", False, "is a number"),
        (..., None, "replace"),
    ]:
        judged(sampling.at_least_once(answer, p=1 / 10_000, n=5000), right, words)
