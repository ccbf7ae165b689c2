"""Every check of 01_four_steps: the right answer, at least two wrong ones each with its own hint, and no answer yet."""

import numpy as np
import pytest
from cutaway.lessons import four_steps
from lesson_checks import judged


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
        (truth, True, "KiB"),
        (truth // 2, False, "two vectors"),
        (truth * 2, False, "kv_dtype"),
        (truth // c.n_layers, False, "one layer") if c.n_layers > 2 else (truth / 1000, False, "one position"),
        (truth * 7, False, "too large"),
        (np.float64(truth), True, "KiB"),
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
