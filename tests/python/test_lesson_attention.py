"""Every check of 04_attention: the right answer, at least two wrong ones each with its own hint, and no answer yet."""

import numpy as np
import pytest
from cutaway.lessons import attention as lesson
from lesson_checks import judged


@pytest.mark.parametrize(
    ("answer", "right", "words"),
    [
        (78, True, "everything below"),
        (144, False, "also ahead"),
        (66, False, "itself as well"),
        (12, False, "last row"),
        (132, False, "Which side"),
        (50, False, "too small"),
        ([78], False, "this is list"),
        (..., None, "replace"),
    ],
)
def test_unmasked(answer, right, words):
    judged(lesson.unmasked(answer, n=12), right, words)


def even(n):
    """The same weight on every token so far, [2n + 1, 2n + 1]."""
    pattern = np.tril(np.ones((2 * n + 1, 2 * n + 1)))
    return pattern / pattern.sum(axis=1, keepdims=True)


def looking(key_pos, n):
    """A pattern [query_pos, key_pos] with 0.9 of each repeated position's weight on key_pos, the rest evenly."""
    pattern = even(n)
    for t, key in zip(range(n + 1, 2 * n + 1), key_pos, strict=True):
        pattern[t, : t + 1] = 0.1 / t
        pattern[t, key] = 0.9
    return pattern


def test_duplicate_token_head():
    n = 5
    t = np.arange(n + 1, 2 * n + 1)
    flat = even(n)
    patterns = np.stack(
        [
            np.stack([looking(t - (n - 1), n), looking(t - 1, n), flat]),
            np.stack([looking(t, n), looking(0 * t, n), flat]),
            np.stack([looking(t - n, n), flat, flat]),
        ]
    )  # [layer, head, query_pos, key_pos]
    for answer, right, words in [
        ((2, 0), True, "90% of its weight"),
        (np.asarray([2, 0]), True, "duplicate-token"),
        ((0, 2), False, "layer comes first"),
        ((0, 0), False, "what came after the same token"),
        ((0, 1), False, "the token before"),
        ((1, 0), False, "the token itself"),
        ((1, 1), False, "first token of the text"),
        ((1, 2), False, "another one with more"),
        ((7, 0), False, "layers are 0 to 2"),
        ((2, 0, 0), False, "has 3 numbers"),
        (18, False, "this is int"),
        (..., None, "replace"),
    ]:
        judged(lesson.duplicate_token_head(answer, patterns, n), right, words)


def test_duplicate_token_head_of_the_notebook(real_model):
    """One head stands out in the model of the notebook, and it is not the induction head."""
    model, n = real_model("smollm2", "int8"), 40
    random_ids = np.random.default_rng(0).integers(100, model.d_vocab, n)
    ids = np.concatenate([[model.tokenizer.bos_id], random_ids, random_ids])
    _, trace = model.run_with_cache(ids, names=["blocks.*.attn.pattern"])
    patterns = np.stack([trace[f"blocks.{i}.attn.pattern"] for i in range(model.config.n_layers)])
    judged(lesson.duplicate_token_head((14, 3), patterns, n), True, "duplicate-token")
    judged(lesson.duplicate_token_head((18, 6), patterns, n), False, "what came after the same token")
    judged(lesson.duplicate_token_head((18, 8), patterns, n), False, "first token of the text")


def test_first_layer(real_model):
    model, text = real_model("smollm2", "int8"), "I would like a cup of"
    logits, trace = model.run_with_cache(text, names=["blocks.*.resid_post"])
    own = logits[-1].argmax()
    tops = [model.unembed(trace[f"blocks.{i}.resid_post"])[-1].argmax() for i in range(model.config.n_layers)]
    hits = [i for i, top in enumerate(tops) if top == own]
    first, stays = hits[0], max(i for i, top in enumerate(tops) if top != own) + 1
    assert first + 1 < stays  # it comes, goes and comes back: the two answers differ
    for answer, right, words in [
        (first, True, "doubted it again"),
        (np.int64(first), True, "more certain"),
        (stays, False, "stays on top"),
        (first + 1, False, "one too far"),
        (len(tops) - 1, False, "not for the first time"),
        (0, False, "ends with ' coffee'"),
        (first - 1, False, "ends with ' coffee'"),
        (30, False, "layers are 0 to 29"),
        (None, False, "this is NoneType"),
        (True, False, "this is bool"),
        (..., None, "replace"),
    ]:
        judged(lesson.first_layer(answer, model, text), right, words)
