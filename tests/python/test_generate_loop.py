"""The generation loop on a small fake model: what stops it, what is shown, what is kept."""

from __future__ import annotations

import hashlib
import inspect
import re

import cutaway as ca
import numpy as np
import pytest
from cutaway.generate import BATCH_ROWS, Stream, generate
from cutaway.stops import StopMatcher
from fake_model import D_VOCAB, HELLO, STOP, WORLD, Bytes, FakeModel
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.fixture(autouse=True)
def batched_step(monkeypatch):
    """cutaway.step on fake sessions; records the number of rows."""
    widths = []

    def step(sessions, ids):
        assert len(sessions) == len(ids) and ids.dtype == np.int32
        widths.append(len(sessions))
        return np.stack([session.append(ids[i : i + 1]) for i, session in enumerate(sessions)])

    monkeypatch.setitem(ca.__dict__, "step", step)
    return widths


def greedy(script, **settings):
    return generate(FakeModel(script), [1], temperature=0, **settings)


def pieces(out):
    return [step.text for step in out.steps]


# ---- reasons to end


def test_length():
    out = greedy("abcdef", max_new_tokens=3)
    assert (out.text, out.ids.tolist(), out.finish_reason) == ("abc", [97, 98, 99], "length")
    assert out.ids.dtype == np.int32 and len(out) == len(out.steps) == 3
    assert [step.index for step in out.steps] == [0, 1, 2]


def test_no_tokens_at_all():
    model = FakeModel("abc")
    out = generate(model, [1, 2], max_new_tokens=0)
    assert (out.text, out.ids.tolist(), out.finish_reason, model.appended) == ("", [], "length", 0)
    assert list(generate(model, [1], max_new_tokens=0, stream=True)) == []


def test_stop_token_is_in_ids_and_not_in_text():
    out = greedy([97, HELLO, STOP, 98])
    assert (out.text, out.ids.tolist(), out.finish_reason) == ("ahello", [97, HELLO, STOP], "stop")
    assert pieces(out) == ["a", "hello", ""]


def test_context_is_full():
    out = generate(FakeModel("abcdefgh", n_ctx=5, n_prompt=2), [1, 1], temperature=0)
    assert (out.text, out.finish_reason) == ("abcd", "context")  # 2 + 3 appended, and one more drawn
    full = generate(FakeModel("abc", n_ctx=2, n_prompt=2), [1, 1], temperature=0)
    assert (full.text, full.finish_reason) == ("a", "context")


@pytest.mark.parametrize("max_new_tokens", [4, 5])
def test_stop_on_the_last_token_wins_over_length(max_new_tokens):
    assert greedy("abcd\n", stop=["cd"], max_new_tokens=max_new_tokens).finish_reason == "stop"


# ---- stop strings


@pytest.mark.parametrize(
    ("stop", "text", "shown", "n_ids"),
    [
        ("\n\n", "one\n\ntwo", ["o", "n", "e", "", ""], 5),
        (["END"], "xENxEND", ["x", "", "", "ENx", "", "", ""], 7),
        (["aab"], "aaab", ["", "", "a", ""], 4),  # the first a was no part of it
        (["abcd", "bc"], "abcd", ["", "", "a"], 3),  # what completes first
        ("lo", [HELLO, 33], ["hel"], 1),  # inside a token: the rest of the token goes
        ("lo w", [HELLO, WORLD, 33], ["hel", ""], 2),  # across tokens
        ("\u00e9", "caf\u00e9!", ["c", "a", "f", "", ""], 5),  # across the two bytes of one character
    ],
)
def test_stop_strings(stop, text, shown, n_ids):
    out = greedy(text, stop=stop, max_new_tokens=50)
    assert pieces(out) == shown
    assert (out.text, len(out.ids), out.finish_reason) == ("".join(shown), n_ids, "stop")


def test_held_text_comes_out_when_no_stop_follows():
    assert pieces(greedy("ab\nc", stop="\n\n", max_new_tokens=4)) == ["a", "b", "", "\nc"]
    assert pieces(greedy("ab\n", stop="\n\n", max_new_tokens=3)) == ["a", "b", "\n"]  # the last token
    assert pieces(greedy([97, 10, STOP], stop="\n\n")) == ["a", "", "\n"]  # a stop token
    assert pieces(greedy("\u20ac"[:1].encode() + b"\xe2\x82", max_new_tokens=5)) == ["", "", "\u20ac", "", "\ufffd"]


@settings(max_examples=200, deadline=None)
@given(st.text("ab", max_size=12), st.lists(st.text("ab", min_size=1, max_size=4), max_size=3), st.data())
def test_stops_do_not_depend_on_the_pieces(text, stops, data):
    """Against the plain search: the stop that ends first, and of those the one that begins first."""
    found = [(m.start() + len(s), m.start()) for s in stops for m in re.finditer(f"(?={s})", text)]
    expected = text[: min(found)[1]] if found else text
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    matcher, shown, matched = StopMatcher(stops), "", False
    for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        safe, matched = matcher.push(text[begin:end])
        shown += safe
        assert expected.startswith(shown)
        if matched:
            break
    assert matched == bool(found)
    assert (shown if matched else shown + matcher.finish()) == expected


# ---- numbers in the result


def test_log_probabilities_and_history():
    chain = [ca.FrequencyPenalty(1.5), ca.Temperature(0.7), ca.TopK(20)]
    model = FakeModel()
    out = generate(model, [5, 6], sampler=chain, seed=3, max_new_tokens=12)
    sampler, ids = ca.Sampler(chain, seed=3), [5, 6]
    for i, step in enumerate(out.steps):  # penalties see the prompt and what was generated
        token, logprob, sampled = sampler.draw(model.logits(ids), ids=ids, step=i)
        assert (step.id, step.logprob, step.sampled_logprob) == (token, logprob, sampled)
        raw = model.logits(ids).astype(np.float64)
        assert logprob == pytest.approx(raw[token] - np.log(np.exp(raw).sum()), abs=1e-12)
        ids.append(token)
    assert out.ids.tolist() == ids[2:]
    np.testing.assert_array_equal(out.logprobs, [step.logprob for step in out.steps])
    np.testing.assert_array_equal(out.sampled_logprobs, [step.sampled_logprob for step in out.steps])


def test_keywords_spell_the_chain():
    given = dict(min_p=0.1, top_p=0.9, top_k=40, frequency_penalty=0.2, presence_penalty=0.3, repetition_penalty=1.1)
    out = generate(FakeModel("abc"), [1], max_new_tokens=1, seed=5, stop="x", **given)
    assert repr(out.settings["sampler"]) == (
        "Sampler([RepetitionPenalty(1.1), PresencePenalty(0.3), FrequencyPenalty(0.2), Temperature(1.0), TopK(40), "
        "TopP(0.9), MinP(0.1)], seed=5)"
    )
    rest = {name: value for name, value in out.settings.items() if name != "sampler"}
    assert rest == {"max_new_tokens": 1, "stop": ("x",), "stop_ids": (STOP,), "n_ctx": 1000, "ledger": True}
    plain = generate(FakeModel("abc"), [1], max_new_tokens=1, temperature=None)
    assert plain.settings["sampler"].stages == (ca.Temperature(1.0),)
    assert plain.seed == plain.settings["sampler"].seed


def test_a_sampler_brings_its_seed():
    sampler = ca.Sampler([ca.TopK(5)], seed=9)
    assert generate(FakeModel(), [1], sampler=sampler, max_new_tokens=1).seed == 9
    assert generate(FakeModel(), [1], sampler=sampler, seed=2, max_new_tokens=1).seed == 2


def test_fingerprint_is_what_it_says():
    model = FakeModel()
    out = generate(model, [5, 6], seed=1, max_new_tokens=3)
    expected, ids = hashlib.blake2b(digest_size=16), [5, 6]
    for token in out.ids.tolist():
        expected.update(model.logits(ids).astype("<f4").tobytes())
        ids.append(token)
    for part in ([5, 6], ids[2:]):
        expected.update(np.int64(len(part)).tobytes() + np.asarray(part, "<i4").tobytes())
    assert out.fingerprint == expected.hexdigest()


def test_fingerprint_maps_every_nan_to_one():
    from cutaway.fingerprint import Fingerprint

    rows = [np.array([1, bits], np.uint32).view(np.float32) for bits in (0x7FC00000, 0xFFC00001, 0x7F800001)]
    assert len({Fingerprint().with_row(row).hexdigest([1]) for row in rows}) == 1
    assert (
        Fingerprint().with_row(np.float32([0.0])).hexdigest() != Fingerprint().with_row(np.float32([-0.0])).hexdigest()
    )


def test_timings():
    out = generate(FakeModel(), [1, 2, 3], seed=4, max_new_tokens=5)
    t = out.timings
    assert (t["prefill_tokens"], t["decode_tokens"]) == (3, 4)
    assert t["prefill_seconds"] > 0 and t["decode_seconds"] > 0
    assert t["tokens_per_second"] == pytest.approx(4 / t["decode_seconds"])


def test_ledger_and_traces():
    out = generate(FakeModel(), [5], seed=1, top_k=7, max_new_tokens=3, ledger=True, names=["embed"])
    assert out.ids.tolist() == generate(FakeModel(), [5], seed=1, top_k=7, max_new_tokens=3).ids.tolist()
    for step in out.steps:
        ledger = step.explain()
        assert (ledger.draw.token, ledger.draw.logprob, ledger.step) == (step.id, step.logprob, step.index)
        assert [stage.name for stage in ledger.stages] == ["temperature", "top_k"]
        assert ledger.text == Bytes().decode([step.id])
    assert [int(step.trace["embed"][0]) for step in out.steps] == [5, *out.ids.tolist()[:-1]]
    with pytest.raises(ca.ArgumentError, match="ledger=True"):
        generate(FakeModel(), [5], max_new_tokens=1, ledger=False).steps[0].explain()


def test_representations():
    out = greedy([60, 38, 62, STOP], seed=7)
    assert repr(out).startswith(
        "<&>\n[tokens: 1 prompt, 4 new, finish_reason 'stop']\n[sampler: Sampler([Temperature(0)]"
    )
    page = out._repr_html_()
    assert (
        all(f">{sign}<" in page for sign in ("&lt;", "&amp;", "&gt;"))
        and out.fingerprint in page
        and "http" not in page
        and "<script" not in page
    )


# ---- streaming


def test_stream_gives_each_step_and_then_the_result():
    stream = generate(FakeModel("ab\n\ncd"), [1], temperature=0, stop="\n\n", seed=3, stream=True)
    assert isinstance(stream, Stream)
    first = next(stream)
    assert (first.text, stream.result.text, len(stream.result)) == ("a", "a", 1)
    assert [step.text for step in stream] == ["b", "", ""]
    whole = greedy("ab\n\ncd", stop="\n\n", seed=3)
    assert (stream.result.text, stream.result.finish_reason) == (whole.text, "stop") == ("ab", "stop")
    assert stream.result.fingerprint == whole.fingerprint
    assert list(stream) == []


def test_stream_runs_only_as_far_as_it_is_read():
    model = FakeModel("abcdef")
    stream = generate(model, [1], temperature=0, stream=True)
    assert model.appended == 0
    next(stream), next(stream)
    assert model.appended == 2


def test_closing_a_stream_keeps_what_there_is():
    with generate(FakeModel("ab\ncdef"), [1], temperature=0, stop="\n\n", stream=True) as stream:
        for step in stream:
            if step.index == 2:
                break
    out = stream.result
    assert (out.text, out.finish_reason, len(out.ids)) == ("ab\n", "interrupted", 3)  # the newline was held back
    assert "".join(pieces(out)) == out.text
    assert list(stream) == []


# ---- Ctrl-C


@pytest.mark.parametrize("at", [1, 2, 4])
def test_interrupt_returns_the_partial_result(at):
    out = generate(FakeModel("ab\ncd", interrupt_at=at), [1], temperature=0, stop="\n\n")
    assert (out.text, out.finish_reason) == ("ab\n"[: at - 1], "interrupted")
    assert len(out.ids) == len(out.steps) == at - 1
    assert out.fingerprint == greedy("ab\ncd", max_new_tokens=at - 1).fingerprint


def test_interrupt_of_a_stream_raises_and_keeps_the_result():
    stream = generate(FakeModel("abcd", interrupt_at=3), [1], temperature=0, stream=True)
    with pytest.raises(KeyboardInterrupt):
        list(stream)
    assert (stream.result.text, stream.result.finish_reason) == ("ab", "interrupted")


def test_interrupt_while_decoding_leaves_a_whole_result(monkeypatch):
    """An interrupt from Python code, after a token was pushed to the decoder and before it was kept."""
    count = 0
    push = StopMatcher.push

    def interrupted_push(self, piece):
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        return push(self, piece)

    monkeypatch.setattr(StopMatcher, "push", interrupted_push)
    out = greedy("abcd")
    assert (out.text, out.ids.tolist(), out.finish_reason) == ("ab", [97, 98], "interrupted")
    assert out.fingerprint == greedy("abcd", max_new_tokens=2).fingerprint


def test_other_errors_pass_through():
    class Broken(FakeModel):
        def logits(self, ids):
            return np.full(D_VOCAB, np.nan, np.float32)

    with pytest.raises(ca.ArgumentError, match="entry 0 is NaN"):
        generate(Broken(), [1])


# ---- batches


def test_batch_rows_equal_lone_runs(batched_step):
    prompts = [[i + 1] * (1 + i % 3) for i in range(20)]
    lone = [generate(FakeModel(), prompt, seed=5, max_new_tokens=6) for prompt in prompts]
    batch = generate(FakeModel(), prompts, seed=5, max_new_tokens=6)
    assert max(batched_step) == BATCH_ROWS < len(prompts)
    for one, row in zip(lone, batch, strict=True):
        assert (row.fingerprint, row.text, row.seed) == (one.fingerprint, one.text, 5)
        np.testing.assert_array_equal(row.logprobs, one.logprobs)


def test_rows_that_finish_drop_out(batched_step):
    class Counting(FakeModel):
        def logits(self, ids):
            row = np.zeros(D_VOCAB, np.float32)
            row[STOP if len(ids) >= ids[0] else 97] = 50
            return row

    out = generate(Counting(), [[2], np.asarray([4]), (6,)], temperature=0)
    assert [len(row.ids) for row in out] == [2, 4, 6]
    assert [row.finish_reason for row in out] == ["stop"] * 3
    assert batched_step == [3, 2, 2]  # then one row alone


def test_seeds_of_batches_and_samples():
    model = FakeModel()
    lone = {seed: generate(model, [3], seed=seed, max_new_tokens=8).ids.tolist() for seed in (10, 11, 12)}
    assert len({tuple(ids) for ids in lone.values()}) == 3
    rows = generate(model, [[3], [3]], seed=[12, 10], max_new_tokens=8)
    assert [row.ids.tolist() for row in rows] == [lone[12], lone[10]]
    model = FakeModel()
    samples = generate(model, [3], seed=10, n=3, max_new_tokens=8)
    assert [row.ids.tolist() for row in samples] == [lone[10], lone[11], lone[12]]
    assert [row.seed for row in samples] == [10, 11, 12] and model.forks == 2
    nested = generate(model, [[3], [4]], seed=11, n=2, max_new_tokens=8)
    assert [[row.seed for row in rows] for rows in nested] == [[11, 12], [11, 12]]
    assert nested[0][0].ids.tolist() == lone[11]
    first, second = generate(model, [[3], [4]], max_new_tokens=1)  # one seed is picked for all
    assert first.seed == second.seed < 2**32


def test_traced_batch(batched_step):
    rows = generate(FakeModel(), [[3], [4]], seed=1, max_new_tokens=3, names="embed")
    assert batched_step == []
    plain = generate(FakeModel(), [[3], [4]], seed=1, max_new_tokens=3)
    assert [row.ids.tolist() for row in rows] == [row.ids.tolist() for row in plain]
    assert [int(row.steps[0].trace["embed"][0]) for row in rows] == [3, 4]


def test_interrupted_batch_keeps_every_row():
    rows = generate(FakeModel(interrupt_at=6), [[1], [2], [3]], max_new_tokens=9, seed=0)  # during the second step
    assert [row.finish_reason for row in rows] == ["interrupted"] * 3
    assert [len(row.ids) for row in rows] == [1, 1, 1]


# ---- without a tokenizer


def test_ids_alone():
    out = generate(FakeModel("abc", tokenizer=False), [1], temperature=0, max_new_tokens=2)
    assert out.text is None and pieces(out) == [None, None] and out.ids.tolist() == [97, 98]
    assert repr(out).startswith("[97, 98]\n")
    assert generate(FakeModel("abc", tokenizer=False, interrupt_at=2), [1], temperature=0).ids.tolist() == [97]
    with pytest.raises(ca.Error, match=r"no tokenizer\.json"):
        generate(FakeModel("abc", tokenizer=False), [1], stop="x")


# ---- keywords


def test_signature_lists_the_defaults():
    defaults = {
        name: p.default for name, p in inspect.signature(generate).parameters.items() if p.kind is p.KEYWORD_ONLY
    }
    assert defaults == {
        "stream": False, "max_new_tokens": 128, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0,
        "repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0, "sampler": None, "seed": None,
        "stop": None, "names": None, "ledger": None, "n": 1,
    }  # fmt: skip
    assert generate(FakeModel([97] * 200), [1], temperature=0).ids.size == 128


@pytest.mark.parametrize(
    ("prompt", "keywords", "words"),
    [
        ([1], {"tempreture": 1}, "no argument 'tempreture'. Did you mean temperature"),
        ([1], {"repeat_penalty": 1.1}, "Did you mean repetition_penalty"),
        ([1], {"xyzzy": 1}, "Its arguments are: model, prompt, stream, max_new_tokens, temperature"),
        ([1], {"max_tokens": 3}, "no argument 'max_tokens'. Did you mean max_new_tokens"),
        ([1], {"max_new_tokens": -1}, "max_new_tokens must be a whole number, 0 or greater, got -1"),
        ([1], {"max_new_tokens": 2.5}, "max_new_tokens must be a whole number"),
        ([1], {"n": 0}, "n must be a whole number, 1 or greater"),
        ([1], {"temperature": -1}, "temperature must be 0"),
        ([1], {"top_p": 90}, "90 % is written 0.9"),
        ([1], {"top_k": "all"}, "top_k must be a number"),
        ([1], {"seed": -1}, "seed must be"),
        ([1], {"seed": 2**64 - 1, "n": 2}, "seed must be"),
        ([1], {"seed": [1]}, "there is one prompt"),
        ([[1], [2]], {"seed": [1]}, "seed has 1 entries, expected one per prompt, 2"),
        ([1], {"stop": ""}, "none of them empty"),
        ([1], {"stop": ["a", 3]}, "stop must be a string or a list of strings"),
        ([1], {"names": []}, "names must be activation names"),
        ([1], {"names": 3}, "names must be activation names"),
        ([1], {"sampler": [ca.TopK(3)], "top_p": 0.5}, "sampler takes the place of top_p"),
        ([1], {"sampler": 3}, "a list such as"),
        ([[1]], {"stream": True}, "stream=True follows one text"),
        ([1], {"stream": True, "n": 2}, "stream=True follows one text"),
        ([], {}, "the prompt is empty"),
        ([[1], []], {}, "prompt 1 is empty"),
        ("hi", {}, "the prompt is text, expected token ids"),
        (["hi"], {}, "prompt 0 is text"),
        ([1.5], {}, "dtype float64"),
        ([True], {}, "dtype bool"),
        (np.zeros((2, 2), int), {}, "Several prompts are a list"),
        ([-1], {}, "token id -1"),
        ([2**31], {}, "token id 2147483648"),
        ([1] * 1001, {}, "the prompt has 1001 tokens, and the context holds 1000"),
    ],
)
def test_refusals(prompt, keywords, words):
    model = FakeModel()
    with pytest.raises(ca.ArgumentError, match=words):
        generate(model, prompt, **keywords)
    assert model.appended == 0
